"""From approved contours to a better model."""
