"""Real series, peers and models that the tests share."""
