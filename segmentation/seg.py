"""The same organs as a DICOM Segmentation (PS3.3 A.51), for PACS and research viewers that do not draw contours."""

import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription, segread
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian

from segmentation.errors import StructureSetError
from segmentation.organ_mask import OrganMask
from segmentation.structure_set_identity import StructureSetIdentity
from segmentation.structures import BY_NAME, PLAIN, Appearance, Structure

ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")  # PS3.16 CID 7150
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")  # PS3.16 CID 7162
SIDES = {"L": Code("7771000", "SCT", "Left"), "R": Code("24028007", "SCT", "Right")}  # PS3.16 CID 244
TYPE_2 = (  # of PS3.3 C.7.1.1, C.7.2.1 and C.7.4.1: a CT may lack them, highdicom asks for them
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "PositionReferenceIndicator"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
COPIED = (
    *("SOPClassUID", "SOPInstanceUID", "Modality", "StudyInstanceUID", "StudyDescription", "SeriesInstanceUID"),
    *("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns"),
)


def build_segmentation(
    organs: Mapping[str, OrganMask],
    headers: Sequence[Dataset],
    identity: StructureSetIdentity,
    appearances: Mapping[str, Appearance] = PLAIN,
) -> Dataset:
    """Return a binary segmentation of organs, in the frame of reference and the slices of their CT.

    Args:
        organs: by TG-263 name, at least one; no voxel is in two.
        headers: of the CT's slices, in the order of the grid, without pixel data.
        identity: UIDs, model and names; the UIDs must be others than the structure set's.
        appearances: how the site calls and colours each organ.
    """
    names = sorted(organs, key=list(BY_NAME).index)
    with warnings.catch_warnings():
        # highdicom warns of a name that has one component only, and quotes it.
        warnings.simplefilter("ignore", UserWarning)
        segmentation = Segmentation(
            source_images=_sources(headers),
            pixel_array=numbered([organs[name] for name in names]),
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=[
                describe(number, BY_NAME[name], appearances[name], identity)
                for number, name in enumerate(names, start=1)
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
    _make_repeatable(result, identity)
    return result


def encode_segmentation(
    organs: Mapping[str, OrganMask],
    headers: Sequence[Dataset],
    identity: StructureSetIdentity,
    appearances: Mapping[str, Appearance] = PLAIN,
) -> bytes:
    """Return the bytes of a DICOM file, the same for the same input, once they gave every mask back.

    Raises:
        StructureSetError: if a voxel differs, as where two organs share one, or highdicom cannot work with the CT.
    """
    file = BytesIO()
    try:
        build_segmentation(organs, headers, identity, appearances).save_as(file)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # highdicom asks more of a CT than we do; its words may quote the patient.
        raise StructureSetError(f"no segmentation can be made of this CT: {type(error).__name__}") from error
    content = file.getvalue()
    verify_segmentation(content, organs, headers)
    return content


def verify_segmentation(content: bytes, organs: Mapping[str, OrganMask], headers: Sequence[Dataset]) -> None:
    """Read the bytes back, slice by slice of the CT, and compare every organ with its mask.

    Raises:
        StructureSetError: with each organ that differs and by how many voxels.
    """
    read = segread(BytesIO(content))
    uids = [str(header.SOPInstanceUID) for header in headers]
    pixels = read.get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True)
    names = sorted(organs, key=list(BY_NAME).index)
    wrong = {
        name: int(np.count_nonzero(pixels[..., place].astype(np.bool_) != organs[name].full()))
        for place, name in enumerate(names)
    }
    if any(wrong.values()):
        faults = [f"{name}: {count} voxels of the segmentation differ" for name, count in wrong.items() if count]
        raise StructureSetError("; ".join(faults))


def _sources(headers: Sequence[Dataset]) -> list[Dataset]:
    """Return what highdicom asks of slices, as it takes it: whole, in UTF-8, and as thick as they lie apart."""
    row, column = np.split(np.array(headers[0].ImageOrientationPatient, dtype=np.float64), 2)
    places_mm = np.array([header.ImagePositionPatient for header in headers], dtype=np.float64) @ np.cross(row, column)
    apart_mm = float(np.median(np.abs(np.diff(places_mm)))) if len(headers) > 1 else 1.0
    return [_source(header, f"{apart_mm:.4f}") for header in headers]


def _source(header: Dataset, thickness_mm: str) -> Dataset:
    """Return a slice's header; highdicom knows fewer character sets than CTs come in."""
    source = Dataset()
    source.SpecificCharacterSet = "ISO_IR 192"
    for keyword in COPIED:
        if keyword in header:
            setattr(source, keyword, header[keyword].value)
    for keyword in TYPE_2:
        value = header.get(keyword)
        # Letters, not bytes: a person's name would else be written in the character set that it came in.
        setattr(source, keyword, str(value) if value else None)
    source.SliceThickness = header.get("SliceThickness") or thickness_mm
    return source


def _make_repeatable(ds: Dataset, identity: StructureSetIdentity) -> None:
    """Put the identity's time and UID where highdicom puts the clock's and one drawn at random."""
    date, time = f"{identity.created:%Y%m%d}", f"{identity.created:%H%M%S}"
    ds.InstanceCreationDate, ds.InstanceCreationTime = date, time
    ds.ContentDate, ds.ContentTime = date, time
    for equipment in ds.ContributingEquipmentSequence:
        if "ContributionDateTime" in equipment:
            equipment.ContributionDateTime = f"{date}{time}"
    organization = f"{identity.sop_instance_uid}.0"[:64]
    for item in (*ds.DimensionOrganizationSequence, *ds.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization


def numbered(organs: Sequence[OrganMask]) -> NDArray[np.uint8]:
    """Return the organs in one array, (slices, rows, columns): 0 is none, 1 the first organ, and so on."""
    labels = np.zeros(organs[0].grid_shape, dtype=np.uint8)
    for number, organ in enumerate(organs, start=1):
        labels[organ.box][organ.mask] = number
    return labels


def describe(
    number: int, structure: Structure, appearance: Appearance, identity: StructureSetIdentity
) -> SegmentDescription:
    """Return an organ's item of the Segment Sequence, coded as in the structure set."""
    description = SegmentDescription(
        segment_number=number,
        segment_label=appearance.roi_name,
        segmented_property_category=ANATOMICAL_STRUCTURE,
        segmented_property_type=Code(structure.snomed_code, "SCT", structure.snomed_meaning),
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=identity.model_name, version=identity.model_version, family=ARTIFICIAL_INTELLIGENCE
        ),
        tracking_id=appearance.roi_name,
        tracking_uid=f"{identity.sop_instance_uid}.{number}"[:64],
        display_color=CIELabColor.from_rgb(*appearance.colour),
    )
    if structure.laterality:
        side = Dataset()
        code = SIDES[structure.laterality]
        side.CodeValue, side.CodingSchemeDesignator, side.CodeMeaning = code.value, code.scheme_designator, code.meaning
        description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [side]
    return description
