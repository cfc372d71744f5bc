"""The DICOM upper layer as this node calls others on it: no thread, and for each operation one deadline."""
