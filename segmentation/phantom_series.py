"""The phantom as a CT series: DICOM instances in memory, and as files.

PS3.3 A.3: CT Image IOD. Nothing in it depends on the clock, so the same phantom is the same instances, byte for byte.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from segmentation.errors import StructureSetError
from segmentation.geometry import Grid
from segmentation.phantom import PHANTOM_MODEL_NAME, Phantom

MANUFACTURER = "dicomnode"
DATE, TIME = "20200101", "120000"  # the phantom has no date; these are valid ones
RESCALE_INTERCEPT = -1024
BITS_STORED = 12


def is_phantom(header: Dataset) -> bool:
    """Whether a CT instance was made of this project's phantom: told by Manufacturer and Manufacturer's Model Name."""
    return (
        str(header.get("Manufacturer", "")).strip() == MANUFACTURER
        and str(header.get("ManufacturerModelName", "")).strip() == PHANTOM_MODEL_NAME
    )


def build_series(
    phantom: Phantom, *, seed: int, patient_id: str | None = None, patient_position: str = "HFS"
) -> list[Dataset]:
    """Return the phantom's CT as CT Image Storage instances, in the order of the grid's slices.

    Every UID is derived from the seed, the patient ID and the voxels (PS3.5 B.2, below 2.25), so that the same phantom
    has the same UIDs and another has others.

    Args:
        phantom: whose volume is written; its grid's directions become Image Orientation.
        seed: the patient's, for the identity.
        patient_id: None for one made from the seed.
        patient_position: (0018,5100), which must agree with the grid's directions to be true.

    Raises:
        StructureSetError: where a voxel does not fit 12 bits with an intercept of -1024.
    """
    hu = phantom.volume.hu
    if hu.min() < RESCALE_INTERCEPT or hu.max() >= RESCALE_INTERCEPT + (1 << BITS_STORED):
        raise StructureSetError("the phantom has voxels outside of -1024 to 3071 HU, which its CT cannot hold")
    patient_id = f"PHANTOM-{seed:05d}" if patient_id is None else patient_id
    content = hashlib.sha256(np.ascontiguousarray(hu).tobytes() + phantom.volume.grid.origins.tobytes()).hexdigest()
    root = f"{seed}/{patient_id}/{patient_position}/{content}"
    common = build_common(root, seed, patient_id, patient_position)
    pixels = (hu.astype(np.int32) - RESCALE_INTERCEPT).astype("<u2")
    return [build_instance(common, root, phantom.volume.grid, index, plane) for index, plane in enumerate(pixels)]


def write_series(datasets: Iterable[Dataset], folder: Path) -> list[Path]:
    """Write instances to a folder, which is made, as DICOM files named by their place in the order given."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, dataset in enumerate(datasets, start=1):
        path = folder / f"CT.{number:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def build_common(root: str, seed: int, patient_id: str, patient_position: str) -> Dataset:
    """Return what all instances of the series share, but for the grid."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = CTImageStorage
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = DATE
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = TIME
    ds.AccessionNumber = ""
    ds.Modality = "CT"
    ds.Manufacturer = MANUFACTURER
    ds.ManufacturerModelName = PHANTOM_MODEL_NAME
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = "Phantom head and neck"
    ds.SeriesDescription = "Phantom head and neck CT"
    ds.PatientName = "Phantom^HeadNeck"
    ds.PatientID = patient_id
    ds.PatientBirthDate = ""
    ds.PatientSex = "O"
    ds.BodyPartExamined = "HEADNECK"
    ds.KVP = "120"
    ds.PatientPosition = patient_position
    ds.StudyInstanceUID = derived_uid(root, "study")
    ds.SeriesInstanceUID = derived_uid(root, "series")
    ds.StudyID = str(seed)
    ds.SeriesNumber = 1
    ds.AcquisitionNumber = 1
    ds.FrameOfReferenceUID = derived_uid(root, "frame of reference")
    ds.PositionReferenceIndicator = ""
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated = 16
    ds.BitsStored = BITS_STORED
    ds.HighBit = BITS_STORED - 1
    ds.PixelRepresentation = 0
    ds.WindowCenter, ds.WindowWidth = "40", "400"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = str(RESCALE_INTERCEPT), "1", "HU"
    return ds


def build_instance(common: Dataset, root: str, grid: Grid, index: int, plane: NDArray[np.uint16]) -> Dataset:
    """Return one slice; `plane` are its stored values, uint16, (rows, columns)."""
    uid = derived_uid(root, f"instance {index}")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.update(common)
    ds.SOPInstanceUID = uid
    ds.InstanceNumber = index + 1
    ds.SliceThickness = decimal(grid.slice_spacing_mm)
    ds.ImagePositionPatient = [decimal(value) for value in grid.origins[index]]
    ds.ImageOrientationPatient = [decimal(value) for value in (*grid.row_direction, *grid.column_direction)]
    ds.SliceLocation = decimal(grid.positions_mm[index])
    ds.Rows, ds.Columns = grid.rows, grid.columns
    ds.PixelSpacing = [decimal(grid.row_spacing_mm), decimal(grid.column_spacing_mm)]
    ds.PixelData = plane.tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def derived_uid(root: str, what: str) -> UID:
    """Return a UID below 2.25 that is always the same for the same words."""
    return UID(f"2.25.{int.from_bytes(hashlib.sha256(f'{root}/{what}'.encode()).digest()[:16])}")


def decimal(value: float) -> str:
    """Return a number as a DS of at most 16 characters, with no more than 6 decimals (PS3.5 6.2)."""
    return format_number_as_ds(round(float(value), 6) + 0.0)
