"""What a structure set takes over from its CT, and how it refers to it (pure)."""

from collections.abc import Sequence

import numpy as np
from pydicom import Dataset
from pydicom.charset import default_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import Tag

from segmentation import implicit_le
from segmentation.errors import StructureSetError
from segmentation.geometry import Grid

STUDY_COMPONENT_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"  # Detached Study Management, retired: as PS3.3 C.8.8.5 has it
SAME_PLACE_MM = 1e-3

REQUIRED = ("StudyInstanceUID", "FrameOfReferenceUID")
TYPE_2 = (  # empty where the CT has none; never invented
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "PositionReferenceIndicator",
)
IF_THERE = ("SpecificCharacterSet", "StudyDescription", "IssuerOfPatientID")


def require_same_slices(headers: Sequence[Dataset], grid: Grid) -> None:
    """Raise StructureSetError unless the headers are those of the grid's slices, in its order, of one series."""
    if len(headers) != grid.shape[0]:
        raise StructureSetError(f"{len(headers)} headers for a grid of {grid.shape[0]} slices")
    places = np.array([[float(x) for x in header.ImagePositionPatient] for header in headers])
    if np.abs(places - grid.origins).max() > SAME_PLACE_MM:
        raise StructureSetError("the CT's headers are not in the order of the grid's slices")
    for keyword in (*REQUIRED, "SeriesInstanceUID", "SOPClassUID"):
        values = {str(header.get(keyword, "")) for header in headers}
        if len(values) != 1 or "" in values:
            raise StructureSetError(f"the CT's slices need one {keyword}, and have {len(values - {''})}")
    if len({str(header.SOPInstanceUID) for header in headers}) != len(headers):
        raise StructureSetError("two slices of the CT have the same SOP Instance UID")


def copy_from_ct(header: Dataset) -> Dataset:
    """Return a dataset with the patient, study and frame of reference of a slice, byte for byte.

    Raw, because a name in ISO 2022 that is decoded and encoded again need not be the same bytes, and a TPS that
    compares names would take it for another patient's.
    """
    ds = Dataset()
    for keyword in (*IF_THERE, *TYPE_2, *REQUIRED):
        if keyword in header or keyword not in IF_THERE:
            tag, value = Tag(keyword), _raw_value(header, keyword)
            ds[tag] = RawDataElement(
                tag, dictionary_VR(tag), len(value), value, 0, is_implicit_VR=True, is_little_endian=True
            )
    return ds


def _raw_value(header: Dataset, keyword: str) -> bytes:
    """Return the value of an attribute as it was sent, b"" where there is none."""
    if keyword not in header:
        return b""
    attribute = header.get_item(keyword)
    if isinstance(attribute, RawDataElement):
        return attribute.value or b""
    # Decoded by someone before us: pydicom keeps the bytes of a name, and encodes the rest as the CT's own set says.
    encoded = DicomBytesIO()
    encoded.is_implicit_VR, encoded.is_little_endian = True, True
    write_data_element(encoded, attribute, header.get("SpecificCharacterSet") or default_encoding)
    return bytes(encoded.getvalue()[8:])


def reference_to_ct(headers: Sequence[Dataset]) -> bytes:
    """Return the encoded item of the Referenced Frame of Reference Sequence (PS3.3 C.8.8.5): every slice of the CT."""
    ct = headers[0]
    slices = (reference(str(header.SOPClassUID), str(header.SOPInstanceUID)) for header in headers)
    series = implicit_le.uid("SeriesInstanceUID", str(ct.SeriesInstanceUID))
    series += implicit_le.sequence("ContourImageSequence", slices)
    study = reference(STUDY_COMPONENT_MANAGEMENT, str(ct.StudyInstanceUID))
    study += implicit_le.sequence("RTReferencedSeriesSequence", [series])
    frame = implicit_le.uid("FrameOfReferenceUID", str(ct.FrameOfReferenceUID))
    return frame + implicit_le.sequence("RTReferencedStudySequence", [study])


def reference(sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """Return the encoded item that refers to an instance (PS3.3 table 10-11)."""
    class_uid = implicit_le.uid("ReferencedSOPClassUID", sop_class_uid)
    return class_uid + implicit_le.uid("ReferencedSOPInstanceUID", sop_instance_uid)
