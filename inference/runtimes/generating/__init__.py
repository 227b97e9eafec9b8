"""Generating models in PyTorch, behind `inference.generation.ports`."""
