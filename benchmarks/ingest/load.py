"""What is sent: CT slices of noise under UIDs that nobody has seen, a folder for each association; and what arrived."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence as Items

from dicomnode.dimse import EXPLICIT_VR_LE
from dicomnode.errors import NotUnderstood
from dicomnode.instance_file import InstanceFile, file_head, parse_file
from dicomnode.routing import CT_IMAGE_STORAGE

ROOT = "1.2.826.0.1.3680043.8.498"
_numbers = count(1)


@dataclass(frozen=True)
class Load:
    """Files to send.

    Args:
        folders: one for each association.
        files: in all of them.
        digests: SHA-256 of each data set.
        size: of all data sets together, in bytes.
    """

    folders: Sequence[Path]
    files: int
    digests: frozenset[str]
    size: int


def slice_of(rows: int, series: str, number: int, noise: np.random.Generator) -> Dataset:
    """Return a CT slice with the attributes that scanners write."""
    ds = Dataset()
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID, ds.SOPInstanceUID = CT_IMAGE_STORAGE, f"{series}.{number}"
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = "20260302"
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = "120000"
    ds.AccessionNumber, ds.Modality, ds.Manufacturer = "1", "CT", "Benchmark"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Noise", "NOISE", "19000101", "O"
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CT_IMAGE_STORAGE, f"{series}.{number}.1"
    ds.ReferencedImageSequence = Items([reference])
    ds.SliceThickness, ds.KVP, ds.PatientPosition = "3.0", "120", "HFS"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{series}.0", series
    ds.SeriesNumber, ds.InstanceNumber = "1", str(number)
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 3 * number], [1, 0, 0, 0, 1, 0]
    ds.FrameOfReferenceUID = f"{series}.9"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = rows
    ds.PixelSpacing = [1, 1]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.RescaleIntercept, ds.RescaleSlope = "-1024", "1"
    ds.PixelData = noise.bytes(2 * rows * rows)
    ds["PixelData"].VR = "OW"
    return ds


def write_load(folder: Path, associations: int, instances: int, rows: int) -> Load:
    """Write new slices, dealt out over the associations, a series each; over those of the round before, if any."""
    noise = np.random.default_rng(next(_numbers))
    digests, size, folders = set(), 0, []
    for association in range(associations):
        folders.append(folder / str(association))
        folders[-1].mkdir(parents=True, exist_ok=True)
        series = f"{ROOT}.{next(_numbers)}.{folder.stat().st_ino}"
        for number in range(1, instances // associations + 1):
            ds, out = slice_of(rows, series, number, noise), DicomBytesIO()
            out.is_little_endian, out.is_implicit_VR = True, False
            write_dataset(out, ds)
            data = out.getvalue()
            file = InstanceFile(CT_IMAGE_STORAGE, ds.SOPInstanceUID, EXPLICIT_VR_LE, "BENCH", "ANY", "127.0.0.1", data)
            (folders[-1] / f"{number:04}.dcm").write_bytes(file_head(file) + data)
            digests.add(hashlib.sha256(data).hexdigest())
            size += len(data)
    return Load(folders, len(digests), frozenset(digests), size)


def digests_in(folder: Path) -> frozenset[str]:
    """Return the SHA-256 of the data set of every DICOM file below a folder."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file():
            try:
                found.add(hashlib.sha256(parse_file(path.read_bytes()).data).hexdigest())
            except NotUnderstood:
                continue  # a database, say
    return frozenset(found)
