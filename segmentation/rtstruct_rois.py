"""What a structure set says of an organ beside its contours: name, codes, volume, who drew it (pure)."""

from dataclasses import dataclass

import numpy as np
from pydicom import Dataset

from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from segmentation.structures import Structure

ARTIFICIAL_INTELLIGENCE = ("123110", "DCM", "Artificial Intelligence")  # PS3.16 CID 7162
ANATOMICAL_STRUCTURE = ("91723000", "SCT", "Anatomical Structure")  # PS3.16 CID 7150
SIDES = {"L": ("7771000", "SCT", "Left"), "R": ("24028007", "SCT", "Right")}  # PS3.16 CID 244


@dataclass(frozen=True)
class Origin:
    """What all organs of a structure set have in common.

    Args:
        frame_of_reference_uid: the CT's.
        model_name: that drew them.
        model_version: the same.
        model_digest: SHA-256 of its weights, hexadecimal.
        source: who made it.
    """

    frame_of_reference_uid: str
    model_name: str
    model_version: str
    model_digest: str
    source: str


def structure_set_roi(number: int, structure: Structure, volume_cm3: float, origin: Origin) -> Dataset:
    """Return the item of the Structure Set ROI Sequence of one organ."""
    roi = Dataset()
    roi.ROINumber = number
    roi.ReferencedFrameOfReferenceUID = origin.frame_of_reference_uid
    roi.ROIName = structure.name
    roi.ROIVolume = f"{volume_cm3:.3f}"
    roi.ROIGenerationAlgorithm = "AUTOMATIC"
    roi.ROIGenerationDescription = f"{origin.model_name} {origin.model_version}"
    algorithm = Dataset()
    algorithm.AlgorithmFamilyCodeSequence = [coded(*ARTIFICIAL_INTELLIGENCE)]
    algorithm.AlgorithmName = origin.model_name
    algorithm.AlgorithmVersion = origin.model_version
    algorithm.AlgorithmParameters = f"SHA-256 {origin.model_digest}"
    algorithm.AlgorithmSource = origin.source
    roi.ROIDerivationAlgorithmIdentificationSequence = [algorithm]
    return roi


def volume_cm3(organ: OrganMask, grid: Grid) -> float:
    """Return the mask's volume; a slice is as thick as the planes lie apart at its place."""
    voxels = np.zeros(grid.shape[0])
    voxels[organ.box[0]] = organ.mask.sum(axis=(1, 2))
    thickness_mm = np.gradient(grid.positions_mm) if len(voxels) > 1 else np.array([grid.slice_spacing_mm])
    return float(voxels @ thickness_mm) * grid.row_spacing_mm * grid.column_spacing_mm / 1000.0


def observation(number: int, structure: Structure) -> Dataset:
    """Return the item of the RT ROI Observations Sequence (PS3.3 C.8.8.8) of one organ."""
    observation = Dataset()
    observation.ObservationNumber = number
    observation.ReferencedROINumber = number
    observation.ROIObservationLabel = structure.name
    observation.SegmentedPropertyCategoryCodeSequence = [coded(*ANATOMICAL_STRUCTURE)]
    organ = coded(structure.snomed_code, "SCT", structure.snomed_meaning)
    if structure.laterality:
        organ.SegmentedPropertyTypeModifierCodeSequence = [coded(*SIDES[structure.laterality])]
    observation.RTROIIdentificationCodeSequence = [organ]
    observation.RTROIInterpretedType = "ORGAN"
    observation.ROIInterpreter = ""
    return observation


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    """Return the item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
