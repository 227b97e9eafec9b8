"""The demo: a model of its own gets worse in front of your eyes, and is caught."""
