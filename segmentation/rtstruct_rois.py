"""What a structure set says of an organ beside its contours: name, codes, volume, who drew it (pure)."""

from dataclasses import dataclass

import numpy as np
from pydicom import Dataset

from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from segmentation.profiles import CodeContext, Profile
from segmentation.structures import Structure

ST_LENGTH = 1024  # PS3.5 6.2, of ROI Description
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


def structure_set_roi(number: int, name: str, volume_cm3: float, origin: Origin, remark: str = "") -> Dataset:
    """Return the item of the Structure Set ROI Sequence of one organ, under its ROI Name, with a remark if any."""
    roi = Dataset()
    roi.ROINumber = number
    roi.ReferencedFrameOfReferenceUID = origin.frame_of_reference_uid
    roi.ROIName = name
    if remark:
        roi.ROIDescription = remark[:ST_LENGTH]
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


def observation(number: int, structure: Structure, profile: Profile) -> Dataset:
    """Return the item of the RT ROI Observations Sequence (PS3.3 C.8.8.8) of one organ."""
    appearance = profile.appearances[structure.name]
    observation = Dataset()
    observation.ObservationNumber = number
    observation.ReferencedROINumber = number
    observation.ROIObservationLabel = appearance.roi_name
    observation.SegmentedPropertyCategoryCodeSequence = [coded(*ANATOMICAL_STRUCTURE)]
    observation.RTROIIdentificationCodeSequence = [
        _from_context(structure, profile.codes) if profile.codes else _snomed(structure)
    ]
    observation.RTROIInterpretedType = appearance.interpreted_type
    observation.ROIInterpreter = ""
    return observation


def _snomed(structure: Structure) -> Dataset:
    """Return an organ's code of SNOMED CT, with its side as a modifier."""
    organ = coded(structure.snomed_code, "SCT", structure.snomed_meaning)
    if structure.laterality:
        organ.SegmentedPropertyTypeModifierCodeSequence = [coded(*SIDES[structure.laterality])]
    return organ


def _from_context(structure: Structure, context: CodeContext) -> Dataset:
    """Return an organ's FMA code, with the context group that it is said to come from."""
    organ = coded(str(structure.fma_id), context.scheme, structure.fma_meaning)
    organ.CodingSchemeVersion = context.scheme_version
    organ.MappingResource = context.resource
    organ.MappingResourceUID = context.resource_uid
    organ.MappingResourceName = context.resource_name
    organ.ContextIdentifier = context.group
    organ.ContextUID = context.group_uid
    organ.ContextGroupVersion = context.group_version
    return organ


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    """Return the item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
