"""What templates of the dashboard call."""
