"""What each kind of monitor asks: facts and a question in, an answer out. Pure."""
