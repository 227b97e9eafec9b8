"""References: what a version's traffic is compared with, how they are made, and by whom."""
