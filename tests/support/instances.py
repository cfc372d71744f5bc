"""Single CT and structure set instances of a few pixels, encoded in any transfer syntax that the node takes."""

import imagecodecs
import numpy as np
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.sequence import Sequence

from dicomnode.dimse import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomnode.instance_file import InstanceFile
from dicomnode.routing import CT_IMAGE_STORAGE, RT_STRUCTURE_SET_STORAGE

CANARY_NAME = "Canarywood^Yellowbird"
CANARY_ID = "CANARY-4711"
CANARY_BIRTH_DATE = "19031224"
STUDY = "1.2.826.0.1.3680043.8.498.11"
SERIES = "1.2.826.0.1.3680043.8.498.22"
JPEG_LOSSLESS, JPEG_LOSSLESS_1 = "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"
JPEG_LS, JPEG_2000, RLE = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"
COMPRESSED = (JPEG_LOSSLESS, JPEG_LOSSLESS_1, JPEG_LS, JPEG_2000, RLE)


def ct_instance(
    number: int = 1, *, series: str = SERIES, rows: int = 8, columns: int = 6, **changes: object
) -> Dataset:
    """Return one CT slice; `changes` are keywords with their values, None deletes."""
    ds = Dataset()
    ds.SOPClassUID = CT_IMAGE_STORAGE
    ds.SOPInstanceUID = f"{series}.{number}"
    ds.StudyInstanceUID = STUDY
    ds.SeriesInstanceUID = series
    ds.Modality = "CT"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.PatientName = CANARY_NAME
    ds.PatientID = CANARY_ID
    ds.PatientBirthDate = CANARY_BIRTH_DATE
    ds.StudyDate = "20200229"
    ds.SliceThickness = "3.0"
    ds.ImagePositionPatient = [0, 0, 3.0 * number]
    ds.SourceImageSequence = Sequence([_reference(f"{series}.{number}.9")])
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = rows, columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    pixels = np.random.default_rng(number).integers(0, 4096, (rows, columns), dtype=np.uint16)
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW"
    return changed(ds, changes)


def structure_set(number: int = 1, *, series: str = SERIES, **changes: object) -> Dataset:
    """Return one RT Structure Set with two ROIs that refers to the series."""
    ds = Dataset()
    ds.SOPClassUID = RT_STRUCTURE_SET_STORAGE
    ds.SOPInstanceUID = f"{series}.77.{number}"
    ds.StudyInstanceUID = STUDY
    ds.SeriesInstanceUID = f"{series}.77"
    ds.Modality = "RTSTRUCT"
    ds.PatientName = CANARY_NAME
    ds.PatientID = CANARY_ID
    ds.StructureSetLabel = "APPROVED BY ME"
    ds.ApprovalStatus = "APPROVED"
    ds.StructureSetROISequence = Sequence([Dataset(), Dataset()])
    for number_of_roi, roi in enumerate(ds.StructureSetROISequence, start=1):
        roi.ROINumber = number_of_roi
    referenced_series, study, frame = Dataset(), Dataset(), Dataset()
    referenced_series.SeriesInstanceUID = series
    study.RTReferencedSeriesSequence = Sequence([referenced_series])
    frame.RTReferencedStudySequence = Sequence([study])
    ds.ReferencedFrameOfReferenceSequence = Sequence([frame])
    return changed(ds, changes)


def changed(ds: Dataset, changes: dict[str, object]) -> Dataset:
    """Return the data set with these keywords set, or deleted where the value is None."""
    for keyword, value in changes.items():
        if value is None:
            del ds[keyword]
        else:
            tag = tag_for_keyword(keyword) or 0
            ds[tag] = DataElement(tag, dictionary_VR(tag)[:2], value, validation_mode=IGNORE)  # faults are wanted
    return ds


def encode(ds: Dataset, syntax: str = EXPLICIT_VR_LE) -> bytes:
    """Return the data set as it travels in a C-STORE request."""
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, syntax == IMPLICIT_VR_LE
    write_dataset(out, compressed(ds, syntax) if syntax in COMPRESSED else ds)
    return out.getvalue()


def compressed(ds: Dataset, syntax: str) -> Dataset:
    """Return a copy whose pixels are compressed without loss."""
    pixels = np.frombuffer(ds.PixelData, dtype="<u2").reshape(ds.Rows, ds.Columns)
    frame = {
        JPEG_LOSSLESS: lambda: imagecodecs.ljpeg_encode(pixels, bitspersample=16),
        JPEG_LOSSLESS_1: lambda: imagecodecs.ljpeg_encode(pixels, bitspersample=16),
        JPEG_LS: lambda: imagecodecs.jpegls_encode(pixels),
        JPEG_2000: lambda: imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True, level=0),
        RLE: lambda: RLELosslessEncoder.encode(pixels, **_description(ds)),
    }[syntax]()
    copy = Dataset()
    copy.update(ds)
    copy.PixelData = encapsulate([bytes(frame)])
    copy["PixelData"].VR = "OB"
    copy["PixelData"].is_undefined_length = True
    return copy


def instance_file(ds: Dataset, syntax: str = EXPLICIT_VR_LE, *, calling: str = "TPS") -> InstanceFile:
    """Return what the receiver makes of a C-STORE request with this data set."""
    return InstanceFile(
        str(ds.SOPClassUID), str(ds.SOPInstanceUID), syntax, calling, "DICOMNODE", "127.0.0.1", encode(ds, syntax)
    )


def _reference(sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = CT_IMAGE_STORAGE
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item


def _description(ds: Dataset) -> dict[str, object]:
    return {
        "rows": ds.Rows,
        "columns": ds.Columns,
        "samples_per_pixel": 1,
        "bits_allocated": 16,
        "bits_stored": 16,
        "pixel_representation": 0,
        "photometric_interpretation": "MONOCHROME2",
        "number_of_frames": 1,
    }
