"""Made CT headers in nine geometries, masks that are hard to draw, and an identity: no patient data."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from segmentation.rtstruct import StructureSetIdentity
from segmentation.structures import ORGANS

ROOT = "1.2.826.0.1.3680043.8.498.77"
TILT = math.radians(15)


@dataclass(frozen=True)
class Geometry:
    """How a CT lies in the patient.

    Args:
        row: unit direction along which the column index grows.
        column: unit direction along which the row index grows.
        spacing: between rows, between columns, mm.
        shape: rows, columns.
        z: where the slices lie, mm.
        corner: x and y of the first slice's first pixel, mm.
        stacked: how the origin moves for each mm of z; (0, 0, 1) is along the table.
        patient_position: as the scanner says it.
    """

    row: tuple[float, float, float] = (1.0, 0.0, 0.0)
    column: tuple[float, float, float] = (0.0, 1.0, 0.0)
    spacing: tuple[float, float] = (0.9765625, 0.9765625)
    shape: tuple[int, int] = (48, 48)
    z: tuple[float, ...] = field(default=tuple(-37.5 + 3.0 * k for k in range(14)))
    corner: tuple[float, float] = (-24.5, -23.25)
    stacked: tuple[float, float, float] = (0.0, 0.0, 1.0)
    patient_position: str = "HFS"

    @property
    def origins(self) -> NDArray[np.float64]:
        """The centre of the first pixel of each slice, (slices, 3), patient mm, as the headers say it."""
        return np.round(np.array([*self.corner, 0.0]) + np.outer(self.z, self.stacked), 4)


GEOMETRIES = {
    "HFS": Geometry(),
    "HFP": Geometry(row=(-1.0, 0.0, 0.0), column=(0.0, -1.0, 0.0), patient_position="HFP"),
    "FFS": Geometry(row=(-1.0, 0.0, 0.0), patient_position="FFS"),
    "FFP": Geometry(column=(0.0, -1.0, 0.0), patient_position="FFP"),
    "tilt": Geometry(column=(0.0, math.cos(TILT), math.sin(TILT))),
    "oblique": Geometry(column=(0.0, math.cos(TILT), math.sin(TILT)), stacked=(0.0, -math.tan(TILT), 1.0)),
    "anisotropic": Geometry(spacing=(1.2, 0.8)),
    "rows unlike columns": Geometry(shape=(40, 56)),
    "uneven slices": Geometry(z=(0.0, 3.0, 6.0, 9.0, 14.0, 19.0, 24.0, 27.0, 30.0, 33.0, 35.5, 38.0, 40.5, 43.0)),
}


def ct_headers(geometry: Geometry) -> list[Dataset]:
    """Return the headers of a CT, in ascending order towards the head, as a scanner would write them."""
    return [_header(geometry, index, origin) for index, origin in enumerate(geometry.origins)]


def _header(geometry: Geometry, index: int, origin: NDArray[np.float64]) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = f"{ROOT}.3.{index + 1}"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20260102", "101112", "77", "A77"
    ds.Modality = "CT"
    ds.Manufacturer = "Made"
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = "Made head and neck"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Made^Phantom", "MADE77", "", "O"
    ds.PatientPosition = geometry.patient_position
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.2"
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = f"{ROOT}.4", ""
    ds.ImagePositionPatient = [f"{place:.4f}" for place in origin]
    ds.ImageOrientationPatient = [f"{cosine:.10f}"[:16] for cosine in (*geometry.row, *geometry.column)]
    ds.PixelSpacing = list(geometry.spacing)
    ds.Rows, ds.Columns = geometry.shape
    return ds


def write_ct(geometry: Geometry, folder: Path) -> list[Dataset]:
    """Write the CT, of air, to a folder, which is made; return its headers, as `ct_headers`."""
    folder.mkdir(parents=True, exist_ok=True)
    headers = ct_headers(geometry)
    for number, header in enumerate(headers, start=1):
        ds = FileDataset("", Dataset(header), file_meta=FileMetaDataset(), preamble=bytes(128))
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.SeriesNumber, ds.AcquisitionNumber, ds.InstanceNumber = 1, 1, number
        ds.SliceThickness, ds.KVP = "3", "120"
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
        ds.PixelData = bytes(2 * ds.Rows * ds.Columns)
        ds["PixelData"].VR = "OW"
        ds.save_as(folder / f"CT.{number:04d}.dcm", enforce_file_format=True)
    return headers


def grid_of(geometry: Geometry) -> Grid:
    """Return the grid of the CT."""
    return Grid(
        origins=geometry.origins,
        row_direction=np.array(geometry.row),
        column_direction=np.array([float(f"{cosine:.10f}") for cosine in geometry.column]),
        row_spacing_mm=geometry.spacing[0],
        column_spacing_mm=geometry.spacing[1],
        rows=geometry.shape[0],
        columns=geometry.shape[1],
    )


def identity(**changes: Any) -> StructureSetIdentity:
    """Return what a caller decides."""
    values: dict[str, Any] = {
        "sop_instance_uid": f"{ROOT}.9.1",
        "series_instance_uid": f"{ROOT}.9",
        "label": "AI_0102_1112",
        "created": datetime.fromisoformat("2026-01-02T11:12:13"),
        "model_name": "made",
        "model_version": "2026.01.02",
        "model_digest": "ab" * 32,
        "software_version": "0.1.0",
    }
    return StructureSetIdentity(**values | changes)


def _drawn(draw: Callable[[NDArray[np.bool_]], None]) -> Callable[[tuple[int, int, int]], NDArray[np.bool_]]:
    def made(shape: tuple[int, int, int]) -> NDArray[np.bool_]:
        mask = np.zeros(shape, dtype=np.bool_)
        draw(mask)
        return mask

    return made


def _one_voxel(mask: NDArray[np.bool_]) -> None:
    mask[5, 7, 9] = True


def _two_voxels(mask: NDArray[np.bool_]) -> None:
    mask[5, 7, 9:11] = True


def _diagonal_pair(mask: NDArray[np.bool_]) -> None:
    mask[5, 7, 9] = mask[5, 8, 10] = mask[6, 8, 9] = mask[6, 7, 10] = True


def _line(mask: NDArray[np.bool_]) -> None:
    mask[5, 7, 4:30] = mask[6, 4:30, 7] = True


def _checkerboard(mask: NDArray[np.bool_]) -> None:
    mask[4, ::2, ::2] = mask[4, 1::2, 1::2] = True


def _image_border(mask: NDArray[np.bool_]) -> None:
    mask[0] = mask[-1] = True
    mask[3, 0] = mask[4, :, 0] = mask[5, -1] = mask[6, :, -1] = True


def _hole_of_a_pixel(mask: NDArray[np.bool_]) -> None:
    mask[5, 5:20, 5:25] = True
    mask[5, 12, 12] = mask[5, 7, 8] = mask[5, 7, 20] = mask[5, 12, 15] = False


def _ring_in_ring(mask: NDArray[np.bool_]) -> None:
    for step in range(6):
        mask[4:8, 3 * step : 36 - 3 * step, 3 * step : 36 - 3 * step] = step % 2 == 0


def _noise(mask: NDArray[np.bool_]) -> None:
    mask[4:6] = np.random.default_rng(7).random(mask[4:6].shape) < 0.5


EDGE_CASES: dict[str, Callable[[tuple[int, int, int]], NDArray[np.bool_]]] = {
    "one voxel": _drawn(_one_voxel),
    "two voxels": _drawn(_two_voxels),
    "diagonal pair": _drawn(_diagonal_pair),
    "line of a pixel": _drawn(_line),
    "checkerboard": _drawn(_checkerboard),
    "image border": _drawn(_image_border),
    "hole of a pixel": _drawn(_hole_of_a_pixel),
    "ring in ring": _drawn(_ring_in_ring),
    "noise": _drawn(_noise),
}


def ellipsoid(
    shape: tuple[int, int, int], centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return an ellipsoid's mask and the probabilities of a network that blurs its edge; all in voxels."""
    axes = zip(np.ogrid[tuple(map(slice, shape))], centre, radii, strict=True)
    radius = np.sqrt(sum(((axis - middle) / half) ** 2 for axis, middle, half in axes))
    probability = 1.0 / (1.0 + np.exp(np.clip((radius - 1.0) * min(radii[1:]) / 0.4, -50, 50)))
    return probability > 0.5, probability.astype(np.float32)


def organs_of(geometry: Geometry) -> dict[str, OrganMask]:
    """Return organs that test the drawing: an ellipsoid with probabilities, a shell with a hole, two components."""
    shape = (len(geometry.z), *geometry.shape)
    brainstem, certainty = ellipsoid(shape, (7, 20.3, 21.6), (4.4, 9.2, 7.7))
    outer, inner = (ellipsoid(shape, (6, 19, 25), radii)[0] for radii in ((5, 17, 15), (4, 12, 10)))
    left, right = (ellipsoid(shape, (6, 15, column), (3, 4, 3))[0] for column in (12, 34))
    lens, faint = ellipsoid(shape, (8, 11, 30), (1.4, 1.2, 1.9))
    return {
        "Brainstem": OrganMask.from_full(brainstem, certainty),
        "Bone_Mandible": OrganMask.from_full(outer & ~inner),
        "Parotid_R": OrganMask.from_full(left | right),
        "Lens_L": OrganMask.from_full(lens, faint),
    }


def awkward_masks(geometry: Geometry) -> dict[str, OrganMask]:
    """Return the nine masks that are hard to draw, as if they were organs."""
    shape = (len(geometry.z), *geometry.shape)
    return {
        organ.name: OrganMask.from_full(draw(shape)) for organ, draw in zip(ORGANS, EDGE_CASES.values(), strict=False)
    }
