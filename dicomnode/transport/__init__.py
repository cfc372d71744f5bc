"""The DICOM upper layer as this node listens on it: pynetdicom's classes, made lean and bounded."""
