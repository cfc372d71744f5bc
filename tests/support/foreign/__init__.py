"""Implementations of DICOM that no one here wrote, each with what it can do to the node and for it."""
