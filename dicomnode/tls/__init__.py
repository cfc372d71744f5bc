"""TLS as this node speaks it, listening and calling: PS3.15 B.12."""
