"""Who a structure set of ours is: UIDs from content, model and settings, and names from the time of the work (pure)."""

import hashlib
import uuid
from datetime import datetime

SERIES_DESCRIPTIONS = {"RTSTRUCT": "AI OAR - UNREVIEWED", "SEG": "AI OAR SEG - UNREVIEWED"}
"""What a PACS lists, by modality."""
LABEL_LENGTH = 16  # PS3.5 6.2, VR SH


def derived_uid(*parts: str) -> str:
    """Return a UID (PS3.5 B.2) that is the same for the same parts, and another for any others."""
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


def structure_set_uid(content: str, model_digest: str, settings: str) -> str:
    """Return the SOP Instance UID of the structure set that a model makes of a series under given settings.

    Args:
        content: digest of the series.
        model_digest: of the model.
        settings: what else decides how it looks, as `structure_settings.writing_settings` says it.
    """
    return derived_uid("structure set", content, model_digest, settings)


def structure_set_series_uid(sop_instance_uid: str) -> str:
    """Return the Series Instance UID of a structure set: each is a series of its own."""
    return derived_uid("series of", sop_instance_uid)


def segmentation_uid(structure_set: str) -> str:
    """Return the SOP Instance UID of the segmentation beside the structure set of this UID in the clinical profile."""
    return derived_uid("segmentation", structure_set)


def structure_set_label(created: datetime, version: int) -> str:
    """Return a Structure Set Label of at most 16 characters that says when, and what it supersedes.

    Args:
        created: in the site's local time.
        version: 1 for the first structure set of a series; from 2 on the label says that it supersedes another.
    """
    mark = f"_v{version}" if version > 1 else ""
    return f"AI{mark}_{created:%m%d_%H%M}"[:LABEL_LENGTH]
