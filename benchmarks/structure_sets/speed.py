"""Writers and readers of structure sets side by side: time, size, voxels wrong by independent readers, accuracy.

`taskset -c 0 python -m benchmarks.structure_sets.speed [ROUNDS]`: one core, all of them in turn in each round, medians
of processor time, so that what else the machine does counts little.
Twelve organs of known outline on 512 x 512 x 150 voxels of 1 x 1 x 3 mm (`analytic`).
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from benchmarks.structure_sets.analytic import ORIGIN_MM, PARTS, SHAPE, SLICE_MM, accuracy_of, analytic_grid, organ_of
from benchmarks.structure_sets.environments import STEMS, make_all
from benchmarks.structure_sets.independent import Scan, processor_s, read_all, run, scan_of
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from segmentation.profiles import CLINICAL, EXACT, Profile
from segmentation.rtstruct import build_structure_set, encode_structure_set
from segmentation.rtstruct_check import prove
from segmentation.rtstruct_reader import read_structure_set
from tests.support.dicom3tools import complaints
from tests.support.structure_sets import Geometry, identity, write_ct

GEOMETRY = Geometry(
    spacing=(1.0, 1.0),
    shape=SHAPE[1:],
    z=tuple(ORIGIN_MM[2] + SLICE_MM * index for index in range(SHAPE[0])),
    corner=ORIGIN_MM[:2],
)
JUDGES = ("dcmrtstruct2nii", "plastimatch, xor")  # readers that round nothing
Seconds = dict[str, list[float]]


def timed(taken: Seconds, name: str, action: Callable[[], object]) -> None:
    """Do something and note how long the processor took, with the programs that it started."""
    begun = processor_s()
    action()
    taken.setdefault(name, []).append(processor_s() - begun)


class Bench:
    """What is written, where, and how long it took.

    Args:
        folder: for all files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.headers: list[Dataset] = write_ct(GEOMETRY, folder / "ct")
        self.grid: Grid = analytic_grid()
        self.scan: Scan = scan_of(folder / "ct", self.headers, self.grid)
        self.organs: dict[str, OrganMask] = {name: organ_of(parts) for name, parts in PARTS.items()}
        self.masks: dict[str, NDArray[np.bool_]] = {name: organ.full() for name, organ in self.organs.items()}
        self.files: dict[str, Path] = {}
        self.writing: Seconds = {}
        self.reading: Seconds = {}
        np.savez_compressed(folder / "masks.npz", **self.masks)
        self._write_images()

    def _write_images(self) -> None:
        """Write the masks as plastimatch wants them."""
        images = self.folder / "images"
        images.mkdir()
        for name, mask in self.masks.items():
            header = (
                f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
                f"Offset = {' '.join(map(str, ORIGIN_MM))}\nElementSpacing = 1 1 {SLICE_MM}\n"
                f"DimSize = {SHAPE[2]} {SHAPE[1]} {SHAPE[0]}\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
            )
            (images / f"{name}.mha").write_bytes(header.encode("ascii") + mask.astype(np.uint8).tobytes())

    def write_ours(self, profile: Profile) -> None:
        """Write with this project: masks to bytes, and the proof and the lint that no file leaves without."""
        name, written = f"dicomnode, {profile.name}", {}

        def write() -> None:
            ds = build_structure_set(self.organs, self.headers, self.grid, identity(), profile=profile)
            written["content"] = encode_structure_set(ds)

        def check() -> None:
            prove(written["content"], self.organs, self.headers, self.grid, profile)

        timed(self.writing, name, write)
        timed(self.writing, f"{name}: read back, compared, linted", check)
        self.files[name] = self.folder / f"{profile.name}.dcm"
        self.files[name].write_bytes(written["content"])

    def write_theirs(self, library: str) -> None:
        """Write with another library: its own time for the masks, without the CT."""
        out = self.folder / f"{library}.dcm"
        run(library, [{"masks": str(self.folder / "masks.npz"), "ct": str(self.scan.folder), "out": str(out)}])
        with np.load(out.with_suffix(".npz")) as archive:
            if "error" in archive:
                raise RuntimeError(str(archive["error"]))
            self.writing.setdefault(library, []).append(float(archive["seconds"][1]))
        self.files[library] = out

    def write_with_plastimatch(self) -> None:
        """Write with plastimatch, whose time is for the whole command."""
        out = self.folder / "by-plastimatch"
        command = ["plastimatch", "convert", "--input-prefix", self.folder / "images"]
        command += ["--referenced-ct", self.scan.folder, "--output-dicom", out]
        timed(self.writing, "plastimatch", lambda: subprocess.run(command, check=True, capture_output=True))
        (self.files["plastimatch"],) = (
            path for path in out.iterdir() if dcmread(path, specific_tags=["Modality"]).Modality == "RTSTRUCT"
        )

    def read_ours(self) -> None:
        """Read the clinical file with this project."""
        content = self.files["dicomnode, clinical"].read_bytes()
        action = lambda: read_structure_set(dcmread(BytesIO(content)), self.headers, self.grid)  # noqa: E731
        timed(self.reading, "dicomnode", action)

    def read_theirs(self, reader: str) -> None:
        """Read the same file with another reader: its own time for the masks, plastimatch's for the whole command."""
        (reading,) = read_all(reader, [(self.files["dicomnode, clinical"], self.scan)])
        self.reading.setdefault(reader, []).append(reading.masks_s if not reading.error else float("nan"))

    def round(self) -> None:
        """Do everything once."""
        for profile in (CLINICAL, EXACT):
            self.write_ours(profile)
        self.read_ours()
        for library in ("rt-utils", "DicomRTTool"):
            self.write_theirs(library)
        self.write_with_plastimatch()
        for reader in (*STEMS, "plastimatch"):
            self.read_theirs(reader)

    def accuracy(self, path: Path) -> tuple[float, float, str]:
        """Return of a file the mean distance to the truth, pixels, the worst area bias and the organ that it is of."""
        drawn = {name: contours_of(dcmread(path), name, self.grid) for name in PARTS}
        measured = {name: accuracy_of(PARTS[name], contours) for name, contours in drawn.items() if contours}
        worst = max(measured, key=lambda name: abs(measured[name].area_bias))
        distance = statistics.mean(each.distance_px for each in measured.values())
        return distance, measured[worst].area_bias, worst


def contours_of(ds: Dataset, name: str, grid: Grid) -> dict[int, list[NDArray[np.float64]]]:
    """Return the contours of a ROI, row and column, by slice index; its name may have lost its capitals."""
    found: dict[int, list[NDArray[np.float64]]] = {}
    numbers = {roi.ROINumber for roi in ds.StructureSetROISequence if roi.ROIName.lower() == name.lower()}
    for roi in ds.ROIContourSequence:
        for contour in roi.ContourSequence if roi.ReferencedROINumber in numbers else []:
            points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
            index = int(np.abs(grid.positions_mm - points[0] @ grid.normal).argmin())
            if len(points) > 2:
                found.setdefault(index, []).append(grid.to_row_column(index, points))
    return found


def print_times(title: str, taken: Seconds, unit: str) -> None:
    """Print medians, and how many times as long as ours each took, median over the rounds."""
    print(f"\n| {title} | median, s | as long as {unit} |\n|---|---|---|")
    for name, seconds in taken.items():
        ratio = statistics.median(one / ours for one, ours in zip(seconds, taken[unit], strict=True))
        print(f"| {name} | {statistics.median(seconds):.3f} | {ratio:.1f} x |")


def print_files(bench: Bench) -> None:
    """Print what is in each file."""
    head = " | ".join(f"voxels wrong by {judge}" for judge in JUDGES)
    print(f"\n| written by | kB | {head} | mean distance to truth, px | worst area | dciodvfy |")
    print("|---" * (5 + len(JUDGES)) + "|")
    for name, path in bench.files.items():
        wrong = [read_all(judge, [(path, bench.scan)])[0] for judge in JUDGES]
        renamed = [{key.lower(): mask for key, mask in reading.masks.items()} for reading in wrong]
        counts = [
            reading.error[:30] or str(sum(int((masks[key.lower()] != mask).sum()) for key, mask in bench.masks.items()))
            for reading, masks in zip(wrong, renamed, strict=True)
        ]
        distance, bias, organ = bench.accuracy(path)
        objections = len(complaints("dciodvfy", path))
        size = path.stat().st_size / 1000
        print(f"| {name} | {size:.0f} | {' | '.join(counts)} | {distance:.3f} | {bias:+.1%} {organ} | {objections} |")


def print_organs(bench: Bench) -> None:
    """Print how near each organ of the clinical file is to the truth."""
    ds = dcmread(bench.files["dicomnode, clinical"])
    print("\n| organ, clinical | mean distance to truth, px | area |\n|---|---|---|")
    for name, parts in PARTS.items():
        measured = accuracy_of(parts, contours_of(ds, name, bench.grid))
        print(f"| {name} | {measured.distance_px:.3f} | {measured.area_bias:+.2%} |")


def main(rounds: int) -> None:
    """Print the tables."""
    make_all()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for _ in range(rounds):
            bench.round()
        print_times("writing 12 organs", bench.writing, "dicomnode, clinical")
        print_times("reading 12 organs", bench.reading, "dicomnode")
        print_files(bench)
        print_organs(bench)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
