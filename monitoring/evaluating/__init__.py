"""Monitors ask, evaluations answer: what is asked, when, and what is told to the alerts."""
