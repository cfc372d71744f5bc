"""The exceptions of this room.

AdaptationError
├── CaseError        a case that cannot be read or learnt from
├── TrainingError    a training that cannot go on; says why
└── Paused           work that was asked to give way; what it did is kept
"""


class AdaptationError(Exception):
    """Something that this room was asked for cannot be done; the message is for the physicist."""


class CaseError(AdaptationError):
    """A case that cannot be read or learnt from."""


class TrainingError(AdaptationError):
    """A training that cannot go on, as one whose loss is no number any more."""


class Paused(AdaptationError):
    """Work that was asked to give way; called again, it goes on from what it kept."""
