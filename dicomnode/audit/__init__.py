"""The audit: what happened, as DICOM PS3.15 A.5 tells it, in a chain that shows where somebody changed it."""
