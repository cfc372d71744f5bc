"""One file a command; each a plain function that the command line calls."""
