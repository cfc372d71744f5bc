import numpy as np
import pytest

from segmentation.contouring import Contouring, load_contouring, save_contouring
from segmentation.errors import SegmentationError
from segmentation.organ_mask import OrganMask


def contouring():
    rng = np.random.default_rng(5)
    mask = rng.random((3, 4, 5)) > 0.5
    return Contouring(
        organs={
            "Brainstem": OrganMask((9, 20, 30), (2, 3, 4), mask, rng.random((3, 4, 5)).astype(np.float32)),
            "Lens_L": OrganMask((9, 20, 30), (0, 1, 2), ~mask, None),
        },
        not_found=("Lens_R",),
        notes=("Lens_R was not found.",),
        model_name="small",
        model_version="1",
        model_digest="0" * 64,
        seconds={"network": 1.5},
        expected_dice={"Brainstem": 0.812},
        doubts={"Lens_L": ("Lens_L has 2 cm3, expected are 0.04 to 0.5.",)},
    )


def test_contouring_comes_back_as_it_was_written(tmp_path):
    """Masks, probabilities and words survive the file."""
    written = contouring()
    save_contouring(written, tmp_path / "contouring.npz")

    read = load_contouring(tmp_path / "contouring.npz")

    assert (read.not_found, read.notes, read.seconds) == (written.not_found, written.notes, written.seconds)
    assert (read.expected_dice, read.doubts) == (written.expected_dice, written.doubts)
    assert (read.model_name, read.model_version, read.model_digest) == ("small", "1", "0" * 64)
    assert list(read.organs) == list(written.organs)
    assert np.array_equal(read.organs["Brainstem"].full(), written.organs["Brainstem"].full())
    assert np.array_equal(read.organs["Brainstem"].probability, written.organs["Brainstem"].probability)
    assert read.organs["Lens_L"].probability is None


def test_nothing_but_the_file_is_left(tmp_path):
    """The partial file has gone when the file is there."""
    save_contouring(contouring(), tmp_path / "contouring.npz")

    assert [path.name for path in tmp_path.iterdir()] == ["contouring.npz"]


def test_half_a_file_is_refused_in_a_sentence(tmp_path):
    """A file cut short is no contouring."""
    path = tmp_path / "contouring.npz"
    save_contouring(contouring(), path)
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(SegmentationError, match="not a contouring"):
        load_contouring(path)
