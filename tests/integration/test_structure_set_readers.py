import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset

from segmentation.contours import CLINICAL, EXACT, Profile
from segmentation.organ_mask import OrganMask
from segmentation.phantom import Phantom
from segmentation.phantom_series import write_series
from segmentation.rtstruct import build_structure_set, encode_structure_set
from segmentation.structures import ORGANS
from tests.support.dicom3tools import complaints
from tests.support.plastimatch import read_with_plastimatch
from tests.support.series import POSITIONS, lying, only_slices, series_of, small_phantom, squeezed, unevenly_spaced
from tests.support.structure_sets import EDGE_CASES, identity

pytestmark = pytest.mark.peer

PROFILES = pytest.mark.parametrize("profile", [CLINICAL, EXACT], ids=lambda profile: profile.name)
XOR = "--xor-contours"
JAPANESE = (  # PS3.5 H.3.1, as it stands in a file
    b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
)


def need(program: str) -> None:
    """Skip without a program, except in CI, where every peer must be there."""
    if shutil.which(program) is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{program} is not installed")


def scanned(name: str, slices: range = range(24, 52)) -> tuple[Phantom, list[Dataset]]:
    """Return a phantom as it lies on the scanner, and its CT."""
    upright = only_slices(small_phantom(), slices)
    if name == "anisotropic":
        upright = squeezed(upright, rows_by=2)
    if name == "uneven":
        upright = unevenly_spaced(upright, thin=14)
    position = name if name in POSITIONS else "HFS"
    return lying(upright, position), series_of(upright, position=position)


def written(
    folder: Path, phantom: Phantom, series: list[Dataset], profile: Profile = CLINICAL, changes: Mapping[str, str] = {}
) -> Path:
    """Write the CT and the structure set of a phantom; return the latter."""
    organs = {name: OrganMask.from_full(mask) for name, mask in phantom.masks.items() if mask.any()}
    write_series(series, folder / "ct")
    path = folder / "structure_set.dcm"
    ds = build_structure_set(organs, series, phantom.volume.grid, identity(**changes), profile=profile)
    path.write_bytes(encode_structure_set(ds))
    return path


def wrong_voxels(path: Path, phantom: Phantom, *options: str) -> dict[str, int]:
    """Return how many voxels plastimatch reads otherwise, for each organ of which it does."""
    out = path.parent / "-".join(("read", *options))
    read = read_with_plastimatch(path, path.parent / "ct", out, phantom.volume.grid, *options)
    wrong = {name: int((read[name] != mask).sum()) for name, mask in phantom.masks.items() if mask.any()}
    return {name: count for name, count in wrong.items() if count}


@PROFILES
@pytest.mark.parametrize("name", [*POSITIONS, "anisotropic"])
def test_plastimatch_reads_every_voxel(tmp_path: Path, name: str, profile: Profile) -> None:
    """An independent reader sees the masks that were written, in both of its modes, however the patient lies."""
    need("plastimatch")
    phantom, series = scanned(name)
    path = written(tmp_path, phantom, series, profile)

    assert wrong_voxels(path, phantom) == {}
    assert wrong_voxels(path, phantom, XOR) == {}


@PROFILES
def test_plastimatch_reads_every_voxel_of_awkward_masks(tmp_path: Path, profile: Profile) -> None:
    """Single voxels, diagonals, holes, rings in rings and noise are the same to an independent reader."""
    need("plastimatch")
    phantom, series = scanned("HFS", range(40, 50))
    drawn = zip(ORGANS, EDGE_CASES.values(), strict=False)
    awkward = replace(phantom, masks={organ.name: draw(phantom.volume.hu.shape) for organ, draw in drawn})
    path = written(tmp_path, awkward, series, profile)

    assert wrong_voxels(path, awkward) == {}
    assert wrong_voxels(path, awkward, XOR) == {}


@pytest.mark.parametrize("name", [*POSITIONS, "anisotropic", "uneven"])
def test_dciodvfy_finds_no_error_and_no_warning(tmp_path: Path, name: str) -> None:
    """The structure set keeps the rules of its IOD, attribute by attribute."""
    need("dciodvfy")

    assert complaints("dciodvfy", written(tmp_path, *scanned(name))) == []


def test_dciodvfy_finds_nothing_where_every_attribute_is_filled(tmp_path: Path) -> None:
    """Texts that are left out where empty are legal where they are not."""
    need("dciodvfy")
    changes = {"description": "Supersedes AI_1", "device_serial_number": "7", "institution_name": "Made Hospital"}

    assert complaints("dciodvfy", written(tmp_path, *scanned("HFS"), changes=changes)) == []


@pytest.mark.parametrize(
    "header",
    [
        {"PatientName": "Phantôm^Zoë"},
        {"SpecificCharacterSet": ["", "ISO 2022 IR 87"], "PatientName": JAPANESE},
        {"SpecificCharacterSet": None, "PatientName": "Plain^Name"},
    ],
    ids=["UTF-8", "ISO 2022", "no character set"],
)
def test_dcentvfy_finds_ct_and_structure_set_of_one_patient(tmp_path: Path, header: dict[str, object]) -> None:
    """Patient, study and frame of reference are the CT's, byte for byte, in any character set."""
    need("dcentvfy")
    phantom = only_slices(small_phantom(), range(24, 52))
    path = written(tmp_path, phantom, series_of(phantom, header=header))

    assert complaints("dcentvfy", *sorted((tmp_path / "ct").iterdir()), path) == []
    assert complaints("dciodvfy", path) == []
