"""Recipe for the starter model: how its files were made, and how to make them again."""
