"""Tests of finding the CT series in a folder."""

from pathlib import Path

import pytest

from dicomnode.commands.ct_folder import find_ct_series
from segmentation.errors import SeriesError
from segmentation.phantom_series import write_series
from tests.support.tiny import marked_series

NO_VR = b"ZZ"


def spoil(path: Path, tag: bytes, vr: bytes) -> None:
    """Give an element, by its tag and VR as encoded, a VR that is none."""
    before, after = path.read_bytes().split(tag + vr)
    path.write_bytes(before + tag + NO_VR + after)


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (b"\x02\x00\x10\x00", b"UI"),
        (b"\x08\x00\x05\x00", b"CS"),
        (b"\x08\x00\x16\x00", b"UI"),
        (b"\x20\x00\x0e\x00", b"UI"),
    ],
    ids=["transfer syntax", "character set", "SOP class", "series"],
)
def test_a_file_that_may_be_a_slice_is_not_passed_over(tmp_path: Path, tag: bytes, vr: bytes) -> None:
    """What says which series a file is of, in a VR that is none, is an error that names the file by its place."""
    paths = sorted(write_series(marked_series(1, slices=4), tmp_path))
    spoil(paths[2], tag, vr)

    with pytest.raises(SeriesError) as raised:
        find_ct_series(tmp_path)

    assert str(raised.value).startswith("file 3 of 4 in the folder, by their names, has an element of an unknown")


def test_what_is_no_dicom_is_passed_over(tmp_path: Path) -> None:
    """A note beside the slices, or a file that is cut off in its meta information, is no slice."""
    paths = sorted(write_series(marked_series(1, slices=4), tmp_path))
    (tmp_path / "notes.txt").write_text("four slices")
    (tmp_path / "cut").write_bytes(paths[0].read_bytes()[:150])

    assert find_ct_series(tmp_path) == paths
