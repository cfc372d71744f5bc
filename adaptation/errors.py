"""The exceptions of this room.

AdaptationError
├── CaseError        a case that cannot be read or learnt from
├── TrainingError    a training that cannot go on; says why
└── TrainingPaused   a training that was asked to give way; its checkpoint is kept
"""


class AdaptationError(Exception):
    """Something that this room was asked for cannot be done; the message is for the physicist."""


class CaseError(AdaptationError):
    """A case that cannot be read or learnt from."""


class TrainingError(AdaptationError):
    """A training that cannot go on, as one whose loss is no number any more."""


class TrainingPaused(AdaptationError):
    """A training that was asked to give way; it goes on from its checkpoint."""
