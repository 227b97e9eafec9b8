"""Other servers, to compare with; each runs in a process of its own."""
