"""Versions that stand for a remote endpoint: their one file, and the calls that go there."""
