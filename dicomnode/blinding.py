"""Which patients are contoured blind: their contours are kept and sent to nobody, so that they bias nobody (pure).

A contour that is shown draws the approved one to itself. What is drawn without it tells by how much, and judges a model
without flattering the one that drew it.
"""

import hashlib

PURPOSE = b"contoured blind: "  # so that no other use of the identity goes along with the choice


def is_chosen(identity: str, share: float) -> bool:
    """Return whether a patient is contoured blind: the same for all series of the patient, as long as the share is.

    A larger share has everybody chosen whom a smaller one has.

    Args:
        identity: keyed digest of the Patient ID; nobody is chosen where it is empty.
        share: of the patients, 0 to 1.
    """
    drawn = int.from_bytes(hashlib.sha256(PURPOSE + identity.encode()).digest()[:8]) / 2**64  # even over [0, 1)
    return bool(identity) and drawn < share
