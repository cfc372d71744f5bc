"""How one patient differs from the next: posture, size, smooth deformation, organs of their own size, HU (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.anatomy.shapes import Array, rotation
from segmentation.anatomy.tissues import TISSUES

NECK_BEGINS_MM = -40.0  # below this height the neck may bend against the head
WAVES_AN_AXIS = 2


@dataclass(frozen=True)
class Group:
    """How much the parts of one group vary together, beside what the whole body does.

    Args:
        anchor: the point that they are scaled about, mm, on the left for a group that both sides have.
        shift_mm: standard deviation of their displacement along each axis.
        scale: standard deviation of their size along each axis, as a fraction.
        paired: whether there is one on each side, of nearly the same size.
    """

    anchor: tuple[float, float, float]
    shift_mm: float
    scale: float
    paired: bool = False


GROUPS: dict[str, Group] = {
    "brainstem": Group((0, 0, 0), 0.6, 0.025),
    "cerebellum": Group((0, 50, -10), 0.8, 0.02),
    "temporal": Group((43, -4, 11), 0.8, 0.035, paired=True),
    "ventricles": Group((0, 10, 50), 1.5, 0.12),
    "pituitary": Group((0, -31.5, 14.5), 0.5, 0.06),
    "eye": Group((31, -75, 26), 0.9, 0.03, paired=True),
    "parotid": Group((58, -26, -41), 1.8, 0.07, paired=True),
    "submandibular": Group((30, -62, -84), 2.5, 0.08, paired=True),
    "jaw": Group((0, -50, -40), 1.5, 0.03),
    "tongue": Group((0, -76, -55), 2.0, 0.05),
    "throat": Group((0, -32, -60), 1.2, 0.08),
    "nose": Group((0, -80, 0), 0.8, 0.05),
    "maxilla": Group((28, -78, -6), 1.0, 0.08, paired=True),
    "frontal sinus": Group((12, -89, 52), 2.0, 0.25, paired=True),
    "skull base": Group((0, -20, 0), 0.4, 0.015),
}


@dataclass(frozen=True, eq=False)
class Jitter:
    """Where and how large one patient's group is: p of the table lies at anchor + shift + (p - anchor) * scale."""

    anchor: NDArray[np.float32]
    shift: NDArray[np.float32]
    scale: NDArray[np.float32]

    def to_table(self, coordinates: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        """Return the coordinates in the table of points of the patient's own anatomy, mm."""
        x, y, z = (
            (axis - (self.anchor[i] + self.shift[i])) * (1 / self.scale[i]) + self.anchor[i]
            for i, axis in enumerate(coordinates)
        )
        return x, y, z


@dataclass(frozen=True, eq=False)
class Wave:
    """A smooth displacement along one axis: amplitude * sin(kx x + px) * sin(ky y + py) * sin(kz z + pz), mm."""

    axis: int
    amplitude_mm: np.float32
    wave_numbers: NDArray[np.float32]
    phases: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Patient:
    """One patient's posture and build.

    Args:
        size: float32, (3,), larger than the table's anatomy by this factor along x, y, z.
        turned: float32, (3, 3), the head's and neck's posture.
        bend_mm: how far the neck is bent to the left and back, 100 mm below where it begins.
        waves: smooth displacement.
        groups: by the names of `GROUPS`, with `_L` and `_R` where they are paired.
        hu: of each tissue.
        skull_mm: thickness of the vault.
        fat_mm: between skin and muscle.
        wears_mask: whether a thermoplastic mask holds the head.
        fillings: how many teeth hold metal.
    """

    size: NDArray[np.float32]
    turned: NDArray[np.float32]
    bend_mm: tuple[float, float]
    waves: tuple[Wave, ...]
    groups: dict[str, Jitter]
    hu: dict[str, float]
    skull_mm: float
    fat_mm: float
    wears_mask: bool
    fillings: int

    def to_table(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """Return where points of this patient lie in the table's anatomy.

        Args:
            x: float32, (columns,), mm from the brainstem, to the patient's left.
            y: float32, (rows,), to the back.
            z: float32, (slices,), to the head.

        Returns:
            x, y, z in the table's frame, mm, each float32, (slices, rows, columns).
        """
        columns, rows, slices = x[None, None, :], y[None, :, None], z[:, None, None]
        back = (self.turned.T / self.size[:, None]).astype(np.float32)
        out = [(a * slices + b * rows) + c * columns for c, b, a in back]
        for wave in self.waves:
            factors = [
                np.sin(k * axis + p)
                for k, axis, p in zip(wave.wave_numbers, (columns, rows, slices), wave.phases, strict=True)
            ]
            out[wave.axis] += (factors[2] * factors[1] * wave.amplitude_mm) * factors[0]
        below = np.maximum(NECK_BEGINS_MM - z, 0) / np.float32(100)
        bent = (below**2 / (1 + 0.3 * below)).astype(np.float32)[:, None, None]
        out[0] -= bent * np.float32(self.bend_mm[0])
        out[1] -= bent * np.float32(self.bend_mm[1])
        return out[0], out[1], out[2]


def draw_patient(random: np.random.Generator) -> Patient:
    """Return one patient out of the population."""
    common = random.normal(1, 0.03)
    tilt, lean, turn = random.normal(0, (3.5, 2.0, 3.0))
    return Patient(
        size=(common * random.normal(1, 0.02, 3)).astype(np.float32),
        turned=rotation(tilt, lean, turn).astype(np.float32),
        bend_mm=(float(random.normal(0, 3)), float(random.normal(0, 6))),
        waves=tuple(draw_wave(random, axis) for axis in range(3) for _ in range(WAVES_AN_AXIS)),
        groups=draw_groups(random),
        hu=draw_hu(random),
        skull_mm=float(np.clip(random.normal(6.0, 0.8), 4.0, 8.5)),
        fat_mm=float(np.clip(random.normal(5.0, 1.8), 2.0, 10.0)),
        wears_mask=bool(random.random() < 0.6),
        fillings=int(random.integers(1, 4)) if random.random() < 0.35 else 0,
    )


def draw_wave(random: np.random.Generator, axis: int) -> Wave:
    """Return a smooth displacement of a millimetre or two, over the length of a head."""
    return Wave(
        axis=axis,
        amplitude_mm=np.float32(random.normal(0, 1.6)),
        wave_numbers=(2 * np.pi / random.uniform(110, 260, 3)).astype(np.float32),
        phases=random.uniform(0, 2 * np.pi, 3).astype(np.float32),
    )


def draw_groups(random: np.random.Generator) -> dict[str, Jitter]:
    """Return the size and place of each group; the two sides of a pair share most of their size."""
    drawn: dict[str, Jitter] = {}
    for name, group in GROUPS.items():
        common = random.normal(0, group.scale, 3)
        for side, suffix in ((1, "_L"), (-1, "_R")) if group.paired else ((1, ""),):
            own = random.normal(0, group.scale * 0.35, 3) if group.paired else np.zeros(3)
            drawn[name + suffix] = Jitter(
                anchor=(np.array(group.anchor) * (side, 1, 1)).astype(np.float32),
                shift=random.normal(0, group.shift_mm, 3)
                .clip(-2 * group.shift_mm, 2 * group.shift_mm)
                .astype(np.float32),
                scale=np.exp((common + own).clip(-2 * group.scale, 2 * group.scale)).astype(np.float32),
            )
    return drawn


def draw_hu(random: np.random.Generator) -> dict[str, float]:
    """Return each tissue's HU; every second patient was given contrast medium."""
    hu = {name: float(random.normal(tissue.hu, tissue.sd_hu)) for name, tissue in TISSUES.items()}
    contrast, artery, vein, pituitary = random.random() < 0.5, *random.uniform((60, 50, 5), (180, 140, 30))
    if contrast:
        hu["artery"] += artery
        hu["vein"] += vein
        hu["pituitary"] += pituitary
    return hu
