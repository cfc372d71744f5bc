"""How fast a received CT series becomes a volume in HU, beside SimpleITK, highdicom and pydicom, in one run.

    pip install SimpleITK==2.5.7
    python benchmarks/read_series.py [--slices 200] [--rounds 5] [--syntax SYNTAX]

SYNTAX is explicit, implicit, jpeg-lossless, jpeg-ls, jpeg-2000 or rle. pydicom and highdicom read JPEG lossless only
with a plug-in under the GPL, and do not take part in it.

Every reader starts from the files (in the page cache after the first round, which is not counted) and ends with the HU
of all slices in one array; the arrays must be equal, voxel by voxel. The readers take turns. On a shared machine only
the ratio of two figures of one run says something, and the processor's time more than the clock on the wall.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import highdicom
import imagecodecs
import numpy as np
import SimpleITK
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_rescale
from pydicom.uid import UID

from segmentation.ct import read_ct_series
from segmentation.phantom import build_phantom
from segmentation.phantom_series import build_series, write_series

Read = Callable[[Sequence[Path]], NDArray[np.generic]]
EXPLICIT, IMPLICIT = UID("1.2.840.10008.1.2.1"), UID("1.2.840.10008.1.2")
COMPRESSED = {
    "jpeg-lossless": (
        UID("1.2.840.10008.1.2.4.70"),
        lambda pixels: imagecodecs.ljpeg_encode(pixels, bitspersample=16),
    ),
    "jpeg-ls": (UID("1.2.840.10008.1.2.4.80"), imagecodecs.jpegls_encode),
    "jpeg-2000": (UID("1.2.840.10008.1.2.4.90"), lambda pixels: imagecodecs.jpeg2k_encode(pixels, level=0)),
    "rle": (UID("1.2.840.10008.1.2.5"), None),
}


def with_project(paths: Sequence[Path]) -> NDArray[np.generic]:
    """Read as the node does: headers, checks, order by place, HU."""
    return read_ct_series(paths).volume.hu


def with_simpleitk(paths: Sequence[Path]) -> NDArray[np.generic]:
    """Read with ITK's GDCM reader, which is handed the files in order."""
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage([str(path) for path in paths]))


def with_highdicom(paths: Sequence[Path]) -> NDArray[np.generic]:
    """Read with highdicom, whose volume runs from the head to the feet."""
    datasets = [dcmread(path) for path in paths]
    volume = highdicom.get_volume_from_series(datasets, dtype=np.float32)
    array = volume.array
    return array if volume.affine[2, 0] > 0 else array[::-1]


def with_pydicom(paths: Sequence[Path]) -> NDArray[np.generic]:
    """Read one file after the other, as tutorials do."""
    return np.stack([apply_rescale(ds.pixel_array, ds).astype(np.float32) for ds in map(dcmread, paths)])


READERS: dict[str, Read] = {
    "dicomnode": with_project,
    "SimpleITK": with_simpleitk,
    "highdicom": with_highdicom,
    "pydicom": with_pydicom,
}


def make_series(folder: Path, slices: int, syntax: str) -> list[Path]:
    """Write a phantom of 512 x 512 pixels, 1 mm, in a transfer syntax; return its files from the feet up."""
    phantom = build_phantom(1, rows=512, columns=512, pixel_mm=1.0, slice_mm=1.5, slices=slices)
    datasets = build_series(phantom, seed=1)
    for ds in datasets:
        encode(ds, syntax)
    return list(write_series(datasets, folder))


def encode(ds: Dataset, syntax: str) -> None:
    """Bring an instance into a transfer syntax."""
    if syntax in COMPRESSED:
        uid, encoder = COMPRESSED[syntax]
        if encoder is None:
            ds.compress(uid)
        else:
            ds.PixelData = encapsulate([encoder(ds.pixel_array)])
            ds["PixelData"].VR = "OB"
            ds["PixelData"].is_undefined_length = True
        ds.file_meta.TransferSyntaxUID = uid
    else:
        ds.file_meta.TransferSyntaxUID = IMPLICIT if syntax == "implicit" else EXPLICIT


def take_turns(readers: Mapping[str, Read], paths: Sequence[Path], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return the seconds on the wall and of the processor that each reader took in each round."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, read in readers.items():
            wall, processor = time.perf_counter(), time.process_time()
            read(paths)
            taken[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return taken


def main() -> None:
    """Read in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--syntax", choices=["explicit", "implicit", *COMPRESSED], default="explicit")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = make_series(Path(folder), arguments.slices, arguments.syntax)
        without = {"highdicom", "pydicom"} if arguments.syntax == "jpeg-lossless" else set()
        readers = {name: read for name, read in READERS.items() if name not in without}
        first = {name: read(paths) for name, read in readers.items()}
        for name, hu in first.items():
            np.testing.assert_array_equal(hu, first["dicomnode"], err_msg=name)
        taken = take_turns(readers, paths, arguments.rounds)
    print(f"{arguments.slices} slices of 512 x 512, {arguments.syntax}, {arguments.rounds} rounds; equal voxels")
    print("reader        wall s    ratio   processor s    ratio")
    for name, rounds in taken.items():
        ratios = [
            statistics.median(one[clock] / own[clock] for one, own in zip(rounds, taken["dicomnode"], strict=True))
            for clock in (0, 1)
        ]
        wall, processor = (statistics.median(one[clock] for one in rounds) for clock in (0, 1))
        print(f"{name:10} {wall:9.3f} {ratios[0]:8.1f} {processor:13.3f} {ratios[1]:8.1f}")


if __name__ == "__main__":
    main()
