"""Measurements to run by hand: see README.md. Nothing in the service imports this package."""
