"""Backups: what a snapshot holds, where it may lie, how it is written, checked and read back."""
