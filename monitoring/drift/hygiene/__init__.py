"""Plain oddities of the texts and of the service: one file each."""
