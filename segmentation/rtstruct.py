"""Organs to an RT Structure Set dataset, PS3.3 A.19 (pure).

Every value comes from the masks, the CT's own headers, an identity that the caller decides, and what it has to say of
single organs: the same give the same bytes.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from types import MappingProxyType

from pydicom import Dataset, dcmwrite
from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import UID, ImplicitVRLittleEndian, RTStructureSetStorage

from segmentation import implicit_le
from segmentation.contour_items import contour_organ, planes_of, roi_contour_item
from segmentation.ct_attributes import copy_from_ct, reference_to_ct, require_same_slices
from segmentation.errors import StructureSetError
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from segmentation.profiles import CLINICAL, Profile
from segmentation.rtstruct_rois import Origin, observation, structure_set_roi, volume_cm3
from segmentation.structure_set_identity import StructureSetIdentity
from segmentation.structures import ORGANS, Structure

__all__ = ["StructureSetIdentity", "build_structure_set", "encode_structure_set"]

IMPLEMENTATION_CLASS_UID = "2.25.226530417733049385121473506137480209573"  # ours, from a random UUID (PS3.5 B.2)
IMPLEMENTATION_VERSION_NAME = "DICOMNODE"
NO_REMARKS: Mapping[str, str] = MappingProxyType({})


def build_structure_set(
    organs: Mapping[str, OrganMask],
    headers: Sequence[Dataset],
    grid: Grid,
    identity: StructureSetIdentity,
    *,
    profile: Profile = CLINICAL,
    remarks: Mapping[str, str] = NO_REMARKS,
) -> Dataset:
    """Return the structure set of the organs that were found; an organ that is not in the mapping is not in it.

    Args:
        organs: by TG-263 name, each on the grid and not empty.
        headers: the CT's datasets, one for each slice of the grid in the same order; pixel data is not needed.
        grid: where the voxels lie.
        identity: what the caller decides.
        profile: for whom it is written: how contours are drawn, and how organs are called, shown and coded.
        remarks: what is to be said of an organ, by organ; becomes its ROI Description.

    Raises:
        StructureSetError: if the headers are not those of the grid, an organ is unknown, empty or of another grid, or
            its contours do not give the mask back.
    """
    require_same_slices(headers, grid)
    drawn = _numbered(organs, grid)
    shown = profile.appearances
    ds = copy_from_ct(headers[0])
    _add_series_and_equipment(ds, identity)
    _add_structure_set(ds, identity)
    _set_raw_sequence(ds, "ReferencedFrameOfReferenceSequence", implicit_le.items_of([reference_to_ct(headers)]))
    origin = Origin(
        frame_of_reference_uid=str(headers[0].FrameOfReferenceUID),
        model_name=identity.model_name,
        model_version=identity.model_version,
        model_digest=identity.model_digest,
        source=identity.manufacturer,
    )
    ds.StructureSetROISequence = [
        structure_set_roi(
            number,
            shown[structure.name].roi_name,
            volume_cm3(organs[structure.name], grid),
            origin,
            remarks.get(structure.name, ""),
        )
        for number, structure in drawn
    ]
    ds.RTROIObservationsSequence = [observation(number, structure, profile) for number, structure in drawn]
    ds.ApprovalStatus = "UNAPPROVED"
    planes = planes_of(headers, grid)
    drawings = (
        roi_contour_item(
            number,
            shown[structure.name].colour,
            contour_organ(structure.name, organs[structure.name], grid, profile),
            planes,
        )
        for number, structure in drawn
    )
    _set_raw_sequence(ds, "ROIContourSequence", implicit_le.items_of(drawings))
    return ds


def encode_structure_set(ds: Dataset) -> bytes:
    """Return the bytes of a DICOM file (PS3.10 7.1), Implicit VR Little Endian, always the same for the same dataset.

    Implicit, because toolkits turn Contour Data of more than 64 kB into VR UN in an explicit VR (pydicom issue 903).
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = RTStructureSetStorage
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    ds.file_meta = meta
    # As it was encoded, says this: so pydicom writes what is encoded already as it stands.
    charset = ds.get("SpecificCharacterSet")
    ds.set_original_encoding(True, True, convert_encodings(charset) if charset else default_encoding)
    file = BytesIO()
    dcmwrite(file, ds, implicit_vr=True, little_endian=True, enforce_file_format=True)
    return file.getvalue()


def _numbered(organs: Mapping[str, OrganMask], grid: Grid) -> list[tuple[int, Structure]]:
    """Return the organs in the project's order, each with its ROI number, which is the same in every structure set."""
    reasons = [f"{name} is not an organ of this project" for name in organs.keys() - {organ.name for organ in ORGANS}]
    reasons += [f"{name} has no voxel" for name, organ in organs.items() if not organ.mask.any()]
    reasons += [
        f"{name} lies on a grid of {organ.grid_shape}, the CT's is {grid.shape}"
        for name, organ in organs.items()
        if organ.grid_shape != grid.shape
    ]
    if not organs:
        reasons.append("there is no organ to write")
    if reasons:
        raise StructureSetError("; ".join(sorted(reasons)))
    return [(number, structure) for number, structure in enumerate(ORGANS, start=1) if structure.name in organs]


def _add_series_and_equipment(ds: Dataset, identity: StructureSetIdentity) -> None:
    """Add SOP Common (PS3.3 C.12.1), RT Series (C.8.8.1) and General Equipment (C.7.5.1)."""
    date, time = f"{identity.created:%Y%m%d}", f"{identity.created:%H%M%S}"
    ds.SOPClassUID = RTStructureSetStorage
    ds.SOPInstanceUID = identity.sop_instance_uid
    ds.InstanceCreationDate, ds.InstanceCreationTime = date, time
    ds.Modality = "RTSTRUCT"
    ds.SeriesInstanceUID = identity.series_instance_uid
    ds.SeriesNumber = identity.series_number
    ds.SeriesDescription = identity.series_description
    ds.SeriesDate, ds.SeriesTime = date, time
    ds.OperatorsName = ""
    ds.Manufacturer = identity.manufacturer
    ds.ManufacturerModelName = identity.manufacturer_model_name
    ds.SoftwareVersions = [identity.software_version, f"{identity.model_name} {identity.model_version}"]
    if identity.device_serial_number:
        ds.DeviceSerialNumber = identity.device_serial_number
    if identity.institution_name:
        ds.InstitutionName = identity.institution_name


def _add_structure_set(ds: Dataset, identity: StructureSetIdentity) -> None:
    """Add the Structure Set module (PS3.3 C.8.8.5) without its ROIs."""
    ds.StructureSetLabel = identity.label
    ds.StructureSetName = identity.label
    if identity.description:
        ds.StructureSetDescription = identity.description
    ds.StructureSetDate, ds.StructureSetTime = ds.SeriesDate, ds.SeriesTime
    ds.InstanceNumber = identity.instance_number


def _set_raw_sequence(ds: Dataset, keyword: str, value: bytes) -> None:
    """Put a sequence that is encoded already into the dataset; it is parsed only if someone asks for it."""
    tag = Tag(keyword)
    ds[tag] = RawDataElement(tag, "SQ", len(value), value, 0, is_implicit_VR=True, is_little_endian=True)
