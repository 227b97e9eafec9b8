"""Other people's detectors, each in an environment of its own, never among our dependencies."""
