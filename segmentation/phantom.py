"""A head-and-neck CT made of parametric anatomy, with the 12 organs drawn exactly (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.anatomy import head, neck
from segmentation.anatomy.canvas import LABELS, Canvas, blend
from segmentation.anatomy.patient import Patient, draw_patient
from segmentation.anatomy.scanner import add_couch, add_noise, add_streaks
from segmentation.anatomy.shapes import Array
from segmentation.errors import SegmentationError
from segmentation.geometry import Grid
from segmentation.volume import Volume

PHANTOM_MODEL_NAME = "Parametric head and neck"  # Manufacturer's Model Name (0008,1090) of a phantom's CT
VERTEX_MM = 113.0  # of the scalp, above the centroid of the brainstem
SHOULDERS_MM = -212.0  # where a stack of the usual length ends
BODY_HALF_WIDTH_MM = 235.0
BODY_FRONT_MM, BODY_BACK_MM = -160.0, 165.0
SKIN_MM = np.float32(2.0)
SCALP_MM = np.float32(5.0)
MASK_AT_MM, MASK_MM = np.float32(2.0), 2.4  # the mask's distance from the skin, and its thickness
BRAIN_BEGINS_MM = np.float32(1.8)  # within the skull, beneath the fluid
GREY_MATTER_MM = np.float32(4.5)
AIR_HU = -1000
SKIN_HU = -300  # above it is the body
FILLING_MM = 4.0  # half the height of a filling's streaks
LOWEST_HU, HIGHEST_HU = -1024, 3071  # what 12 bits hold with an intercept of -1024


@dataclass(frozen=True, eq=False)
class Phantom:
    """A CT and the truth about it.

    Args:
        volume: `hu` int16, (slices, rows, columns), HU; supine, head first, axial, the lowest slice first.
        masks: bool, of the volume's shape, by TG-263 name, all of `structures.ORGANS`; no voxel is in two. An organ
            that lies outside the stack is empty.
    """

    volume: Volume
    masks: dict[str, NDArray[np.bool_]]


def build_phantom(
    seed: int,
    *,
    rows: int = 512,
    columns: int = 512,
    pixel_mm: float = 1.0,
    slice_mm: float = 3.0,
    slices: int | None = None,
    top_mm: float | None = None,
    noise_hu: float | None = None,
) -> Phantom:
    """Return a patient who does not exist.

    The same seed is the same patient on every grid: only the voxels, and the noise in them, change with the size.

    Args:
        seed: which patient.
        rows: of a slice.
        columns: of a slice.
        pixel_mm: between the centres of neighbouring pixels.
        slice_mm: between slices.
        slices: how many, downwards from the top; None for as many as reach the shoulders.
        top_mm: the height of the highest slice above the centroid of the brainstem; None for above the vertex.
        noise_hu: standard deviation of the noise; None for the patient's own, 8 to 16 HU at 1 mm.

    Raises:
        SegmentationError: for sizes that are not positive.
    """
    if min(rows, columns, pixel_mm, slice_mm, 1 if slices is None else slices) <= 0:
        raise SegmentationError("a phantom needs slices, rows, columns and spacings that are positive")
    random = np.random.default_rng([seed, 0])
    patient = draw_patient(random)
    brainstem = random.normal((0, 0, 0), (8.0, 12.0, 60.0)).round(1)  # where the scanner's coordinates have it, mm
    field_centre = random.normal((0, 15), (4, 4)).round(1)  # of the picture, x and y from the brainstem, mm
    highest = VERTEX_MM * float(patient.size[2]) + random.uniform(2, 10) if top_mm is None else top_mm
    lowest = SHOULDERS_MM * float(patient.size[2]) + random.uniform(-8, 8)
    count = max(1, round((highest - lowest) / slice_mm)) if slices is None else slices

    axes = Axes(
        x=(field_centre[0] + pixel_mm * (np.arange(columns) - (columns - 1) / 2)).astype(np.float32),
        y=(field_centre[1] + pixel_mm * (np.arange(rows) - (rows - 1) / 2)).astype(np.float32),
        z=(highest - slice_mm * np.arange(count)[::-1]).astype(np.float32),
        pixel_mm=pixel_mm,
        slice_mm=slice_mm,
    )
    hu, labels = draw(patient, axes)
    scan(hu, axes, patient, np.random.default_rng([seed, 1]), noise_hu)
    whole = np.clip(np.rint(hu), LOWEST_HU, HIGHEST_HU).astype(np.int16)
    masks = {name: labels == number for name, number in LABELS.items()}
    return Phantom(Volume(whole, axes.grid(brainstem)), masks)


@dataclass(frozen=True, eq=False)
class Axes:
    """Where the voxels' centres lie.

    Args:
        x: float32, (columns,), mm from the brainstem's centroid, to the left.
        y: float32, (rows,), to the back.
        z: float32, (slices,), to the head.
        pixel_mm: between columns, and between rows.
        slice_mm: between slices.
    """

    x: Array
    y: Array
    z: Array
    pixel_mm: float
    slice_mm: float

    def grid(self, brainstem: NDArray[np.float64]) -> Grid:
        """Return the grid in the coordinates in which the brainstem's centroid is at `brainstem`, (3,), mm."""
        first = np.array([round(float(self.x[0]), 3), round(float(self.y[0]), 3), 0.0])
        heights = round(float(self.z[0]), 3) + self.slice_mm * np.arange(len(self.z))
        return Grid(
            origins=(first + brainstem) + heights[:, None] * np.array([0.0, 0.0, 1.0]),
            row_direction=np.array([1.0, 0.0, 0.0]),
            column_direction=np.array([0.0, 1.0, 0.0]),
            row_spacing_mm=self.pixel_mm,
            column_spacing_mm=self.pixel_mm,
            rows=len(self.y),
            columns=len(self.x),
        )


def draw(patient: Patient, axes: Axes) -> tuple[Array, NDArray[np.uint8]]:
    """Return HU without noise, float32, and organ numbers, uint8, both (slices, rows, columns)."""
    hu = np.full((len(axes.z), len(axes.y), len(axes.x)), AIR_HU, np.float32)
    labels = np.zeros(hu.shape, np.uint8)
    across = np.flatnonzero(np.abs(axes.x) < BODY_HALF_WIDTH_MM)
    down = np.flatnonzero((axes.y > BODY_FRONT_MM) & (axes.y < BODY_BACK_MM))
    if len(across) and len(down):
        body = (slice(None), slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1))
        coordinates = patient.to_table(axes.x[body[2]], axes.y[body[1]], axes.z)
        spacing_mm = (axes.slice_mm, axes.pixel_mm, axes.pixel_mm)
        paint_patient(Canvas(patient, coordinates, spacing_mm, hu[body], labels[body]))
    return hu, labels


def paint_patient(canvas: Canvas) -> None:
    """Paint one patient, from the outside to the inside."""
    whole = (slice(None), slice(None), slice(None))
    brain = brain_of(canvas)
    skull = brain - np.float32(canvas.patient.skull_mm)
    outline = canvas.union((*head.FACE_OUTLINE, *head.NECK_OUTLINE), 16.0)
    outline = blend(outline, skull - SCALP_MM, np.float32(12))

    if canvas.patient.wears_mask:
        _, y, z = canvas.coordinates
        sheet = np.abs(outline - MASK_AT_MM) - np.float32(MASK_MM / 2)
        canvas.lay("mask", np.maximum(sheet, np.maximum(y, np.float32(-95) - z)), whole)  # the front, down to the chin
    canvas.lay("skin", outline, whole)
    canvas.lay("fat", outline + SKIN_MM, whole)
    canvas.lay("muscle", outline + (SKIN_MM + np.float32(canvas.patient.fat_mm)), whole)
    for parts in (head.SHOULDERS, neck.MUSCLES, neck.VESSELS, neck.PAROTIDS, neck.CHEWING, neck.LARYNX):
        canvas.paint(parts)
    canvas.lay("skull", np.maximum(skull, -brain), whole)
    canvas.lay("csf", brain, whole)
    canvas.lay("grey", brain + BRAIN_BEGINS_MM, whole)
    canvas.lay("white", brain + (BRAIN_BEGINS_MM + GREY_MATTER_MM), whole)
    canvas.paint(head.BRAIN, brain + BRAIN_BEGINS_MM)
    for parts in (head.SKULL_BASE, neck.SPINE, head.FACE, neck.AIRWAY, head.ORBITS, head.PITUITARY, head.JAW):
        canvas.paint(parts)


def brain_of(canvas: Canvas) -> Array:
    """Return the signed distance from the inside of the skull, mm, at every voxel of the canvas."""
    below = canvas.union(head.CAVITY, 6.0)
    cerebrum = canvas.union(head.CEREBRUM, 8.0)
    floor_z, floor_y, slope = head.FRONTAL_FLOOR
    _, y, z = canvas.coordinates
    beneath = (floor_z + slope * (y - floor_y) - z) * np.float32(1 / np.hypot(1, slope))
    return blend(below, np.maximum(cerebrum, beneath), np.float32(6))


def scan(hu: Array, axes: Axes, patient: Patient, random: np.random.Generator, noise_hu: float | None) -> None:
    """Add couch, fillings and noise, in place."""
    lowest = np.flatnonzero((hu > SKIN_HU).any(axis=(0, 2)))
    couch_mm = float(axes.y[lowest[-1]]) + 3.0 if len(lowest) else BODY_BACK_MM
    add_couch(hu, axes.x - axes.x.mean(), axes.y, couch_mm)
    sd_hu = random.uniform(8, 16) if noise_hu is None else noise_hu
    for _ in range(patient.fillings):
        place = random.choice([-1, 1]) * random.uniform(20, 30), random.uniform(-85, -72), random.uniform(-55, -42)
        metal = patient.turned @ (patient.size * np.array(place))
        for index in np.flatnonzero(np.abs(axes.z - metal[2]) < FILLING_MM):
            add_streaks(hu[index], axes.x, axes.y, (float(metal[0]), float(metal[1])), random)
    add_noise(hu, random, sd_hu)
