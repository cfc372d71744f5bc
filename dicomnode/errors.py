"""The exceptions of the service.

NodeError                      a sentence for the operator
├── ConfigurationError         the configuration cannot be used; carries every fault
├── AlreadyRunning             another daemon holds this data folder
├── NotFound                   the operator named something that is not there
├── TransitionError            a series cannot go from one state to the other
├── SwapRefused                a version that may not go into service; carries every reason
├── ContouringError            the contouring process failed, hung or was refused
├── PeerFailure                a peer cannot be talked to; says whether that may pass
└── Refusal                    an instance is not taken; `dimse.STATUS_OF` says with which status
    ├── SpoolFull              too little space, or the disk refused
    ├── LedgerUnavailable      the ledger could not be asked
    ├── DataSetMismatch        UID or class of the data set differ from the command's
    ├── NotUnderstood          not a whole or valid instance
    ├── ConflictingContent     a known UID with other content
    ├── ClassNotSupported      a SOP class that this node does not store
    └── NotAuthorised          this peer may not send this
"""

from collections.abc import Sequence


class NodeError(Exception):
    """Something that the operator can understand and mend."""


class ConfigurationError(NodeError):
    """The configuration cannot be used.

    Args:
        faults: every fault, each a sentence that names the key.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class AlreadyRunning(NodeError):
    """Another daemon works on this data folder."""


class NotFound(NodeError):
    """What the operator named is not there."""


class TransitionError(NodeError):
    """A series cannot go from its state to the one that was asked for."""


class SwapRefused(NodeError):
    """A version of a model may not take the place of the one in service."""


class ContouringError(NodeError):
    """The contouring process failed, hung, ran out of memory or refused the series.

    Args:
        message: a sentence for the operator.
        reasons: why the series is held, where it was refused rather than failed.
        retry: whether the same series may succeed in a fresh process.
    """

    def __init__(self, message: str, *, reasons: Sequence[str] = (), retry: bool = False) -> None:
        super().__init__(message)
        self.reasons = tuple(reasons)
        self.retry = retry


class PeerFailure(NodeError):
    """A peer cannot be talked to.

    Args:
        message: what happened, in words.
        transient: whether the same may succeed later.
    """

    def __init__(self, message: str, *, transient: bool) -> None:
        super().__init__(message)
        self.transient = transient


class Refusal(NodeError):
    """An instance is not taken; the sender is told with a DIMSE status."""


class SpoolFull(Refusal):
    """There is too little space, or the disk refused to write."""


class LedgerUnavailable(Refusal):
    """The ledger could not be asked in time."""


class DataSetMismatch(Refusal):
    """The data set's SOP class or instance UID is not the one that the command named."""


class NotUnderstood(Refusal):
    """The data set is not a whole and valid instance."""


class ConflictingContent(Refusal):
    """An instance of this UID is here with other content."""


class ClassNotSupported(Refusal):
    """The SOP class is not one that this node stores."""


class NotAuthorised(Refusal):
    """The peer may not send instances of this kind."""
