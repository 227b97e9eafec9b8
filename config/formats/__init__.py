"""Dates as the rest of the house writes them, and not `Nov. 21, 2026, 3:27 p.m.`."""
