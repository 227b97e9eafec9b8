"""How notifications reach people and machines: one file a way, one protocol. No database here."""
