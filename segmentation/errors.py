"""The exceptions of this room.

SegmentationError
├── GeometryError          voxels that cannot be placed in the patient
├── SeriesError            slices that do not make a volume; carries every reason
├── BundleError            a model that does not verify or does not fit
├── RegistryError          a version that is not there, or that may not go into service
├── DeviceError            a device that is not there
├── EngineError            an engine for networks that is not installed or does not work
├── NotThisModelError      a CT that the model is not meant for
└── StructureSetError      a structure set that cannot be written or read exactly
"""

from collections.abc import Sequence


class SegmentationError(Exception):
    """Something that this room was asked for cannot be done; the message is for the operator."""


class GeometryError(SegmentationError):
    """Voxels that cannot be placed in the patient."""


class SeriesError(SegmentationError):
    """Slices that do not make a volume that can be contoured honestly.

    Args:
        reasons: every reason, each a sentence in the operator's words.
    """

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


class BundleError(SegmentationError):
    """A model bundle that does not verify, is incomplete, or does not fit its own manifest."""


class RegistryError(SegmentationError):
    """A version of a model that is not there, or a change of what is in service that cannot be made."""


class DeviceError(SegmentationError):
    """A device that is not there."""


class EngineError(SegmentationError):
    """An engine for networks that is not installed, does not load, or cannot do with a network."""


class NotThisModelError(SegmentationError):
    """A CT that the model is not meant for, as a patient's for a model of the phantom."""


class StructureSetError(SegmentationError):
    """A structure set that cannot be written or read without changing what it shows."""
