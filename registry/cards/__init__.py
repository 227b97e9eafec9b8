"""Model cards: front matter as on the Hub, its check, and the sections generated from a version."""
