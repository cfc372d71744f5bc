"""From CT slices to a structure set."""
