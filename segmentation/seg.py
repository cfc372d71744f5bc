"""The same organs as a DICOM Segmentation (PS3.3 A.51), for PACS and research viewers that do not draw contours."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian

from segmentation.organ_mask import OrganMask
from segmentation.structure_set_identity import StructureSetIdentity
from segmentation.structures import BY_NAME, Structure

ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")  # PS3.16 CID 7150
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")  # PS3.16 CID 7162
SIDES = {"L": Code("7771000", "SCT", "Left"), "R": Code("24028007", "SCT", "Right")}  # PS3.16 CID 244


def build_segmentation(
    organs: Mapping[str, OrganMask], headers: Sequence[Dataset], identity: StructureSetIdentity
) -> Dataset:
    """Return a binary segmentation of organs, in the frame of reference and the slices of their CT.

    Args:
        organs: by TG-263 name, at least one; no voxel is in two.
        headers: of the CT's slices, in the order of the grid, without pixel data.
        identity: UIDs, model and names; the UIDs must be others than the structure set's.
    """
    names = sorted(organs, key=list(BY_NAME).index)
    with warnings.catch_warnings():
        # highdicom warns of a name that has one component only, and quotes it.
        warnings.simplefilter("ignore", UserWarning)
        segmentation = Segmentation(
            source_images=list(headers),
            pixel_array=numbered([organs[name] for name in names]),
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=[
                describe(number, BY_NAME[name], identity) for number, name in enumerate(names, start=1)
            ],
            series_instance_uid=identity.series_instance_uid,
            series_number=identity.series_number,
            sop_instance_uid=identity.sop_instance_uid,
            instance_number=identity.instance_number,
            manufacturer=identity.manufacturer,
            manufacturer_model_name=identity.manufacturer_model_name,
            software_versions=identity.software_version,
            device_serial_number=identity.device_serial_number or "none",
            content_label="ORGANS_AT_RISK",
            content_description="UNREVIEWED contours of an automatic method",
            transfer_syntax_uid=ExplicitVRLittleEndian,
            series_description=identity.series_description,
        )
    result: Dataset = segmentation
    return result


def numbered(organs: Sequence[OrganMask]) -> NDArray[np.uint8]:
    """Return the organs in one array, (slices, rows, columns): 0 is none, 1 the first organ, and so on."""
    labels = np.zeros(organs[0].grid_shape, dtype=np.uint8)
    for number, organ in enumerate(organs, start=1):
        labels[organ.box][organ.mask] = number
    return labels


def describe(number: int, structure: Structure, identity: StructureSetIdentity) -> SegmentDescription:
    """Return an organ's item of the Segment Sequence, coded as in the structure set."""
    description = SegmentDescription(
        segment_number=number,
        segment_label=structure.name,
        segmented_property_category=ANATOMICAL_STRUCTURE,
        segmented_property_type=Code(structure.snomed_code, "SCT", structure.snomed_meaning),
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=identity.model_name, version=identity.model_version, family=ARTIFICIAL_INTELLIGENCE
        ),
        tracking_id=structure.name,
        tracking_uid=f"{identity.sop_instance_uid}.{number}"[:64],
        display_color=CIELabColor.from_rgb(*structure.colour),
    )
    if structure.laterality:
        side = Dataset()
        code = SIDES[structure.laterality]
        side.CodeValue, side.CodingSchemeDesignator, side.CodeMeaning = code.value, code.scheme_designator, code.meaning
        description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [side]
    return description
