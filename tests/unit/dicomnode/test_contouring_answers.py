"""What the contouring process answers when it is asked to write."""

from pathlib import Path
from typing import Any

from dicomnode.contouring_process import answer
from segmentation.contouring import Contouring, save_contouring
from segmentation.organ_mask import OrganMask
from segmentation.phantom_series import write_series
from segmentation.structures import PLAIN
from tests.support.series import series_of, small_phantom
from tests.support.structure_sets import identity


def asked(folder: Path, **appearance: str) -> dict[str, Any]:
    """Return a request to write the brainstem of a phantom, with what the site says of it."""
    organs = {"Brainstem": OrganMask.from_full(small_phantom().masks["Brainstem"])}
    save_contouring(Contouring(organs, (), (), "made", "1", "ab" * 32), folder / "kept.npz")
    shown = {name: vars(each) for name, each in PLAIN.items()}
    shown["Brainstem"] = {**shown["Brainstem"], **appearance}
    of = identity()
    output = {
        "modality": "RTSTRUCT",
        "profile": "clinical",
        "identity": {**vars(of), "created": of.created.isoformat()},
        "out": str(folder / "rs.dcm"),
    }
    return {
        "ask": "write",
        "paths": [str(path) for path in write_series(series_of(small_phantom()), folder / "ct")],
        "contouring": str(folder / "kept.npz"),
        "appearances": shown,
        "outputs": [output],
    }


def test_what_proves_right_is_written(tmp_path: Path) -> None:
    """With the volumes and the time that it took."""
    reply = answer(asked(tmp_path))

    assert reply["outcome"] == "done"
    assert list(reply["volumes_cm3"]) == ["Brainstem"]
    assert (tmp_path / "rs.dcm").is_file()


def test_what_breaks_a_rule_is_refused_with_the_reason_and_not_written(tmp_path: Path) -> None:
    """A refusal and no failure: the series is held, and a person reads why."""
    reply = answer(asked(tmp_path, interpreted_type="STEM"))

    assert reply["outcome"] == "refused"
    assert "'STEM' is none of the Standard's defined terms" in reply["reasons"][0]
    assert not (tmp_path / "rs.dcm").exists()
