"""What the contouring process answers when it is asked to contour and to write."""

import sys
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from dicomnode.contouring_process import answer
from segmentation.bundle import ExpectedDice, bundle_digest
from segmentation.contouring import Contouring, load_contouring, save_contouring
from segmentation.organ_mask import OrganMask
from segmentation.phantom_series import write_series
from segmentation.structures import PLAIN
from tests.support.series import series_of, small_phantom
from tests.support.structure_sets import identity
from tests.support.tiny import marked_series, write_tiny_bundle

LINE = ExpectedDice(cases=5, score=0.9, dice=0.62, slope=0.0, highest=0.95, error=0.05)


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


def to_contour(folder: Path, **review: Any) -> dict[str, Any]:
    """Return a request to contour a phantom by a network that expects little of a parotid."""
    manifest = write_tiny_bundle(folder / "tiny", calibration={"Parotid_L": LINE})
    return {
        "ask": "contour",
        "paths": [str(path) for path in write_series(marked_series(), folder / "ct")],
        "bundle": str(folder / "tiny"),
        "bundle_digest": bundle_digest(manifest),
        "device": "cpu",
        "engine": "torch",
        "insist": False,
        "review": review,
        "out": str(folder / "kept.npz"),
    }


def test_what_is_expected_of_an_organ_is_told_and_kept(tmp_path: Path) -> None:
    """The daemon hears it, and whoever writes finds it in the file."""
    reply = answer(to_contour(tmp_path, below_dsc=0.6))

    assert (reply["outcome"], reply["expected_dice"]) == ("done", {"Parotid_L": 0.62})
    assert "Expected DSC: Parotid_L 0.62." in reply["notes"]
    assert load_contouring(tmp_path / "kept.npz").expected_dice == {"Parotid_L": 0.62}


def test_the_engine_is_told_and_kept(tmp_path: Path) -> None:
    """The log and the description name it."""
    reply = answer(to_contour(tmp_path))

    assert reply["engine"].startswith("torch ")
    assert load_contouring(tmp_path / "kept.npz").engine == reply["engine"]


def test_an_engine_that_does_not_load_is_told_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The series is contoured by torch."""
    broken = tmp_path / "installed" / "openvino"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('libtbb.so: no such file')\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "openvino"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path / "installed")
    request = to_contour(tmp_path)
    with capture_logs() as logs:
        reply = answer({**request, "engine": "auto"})

    assert reply["engine"].startswith("torch ")
    assert [one["reason"] for one in logs] == ["OpenVINO does not load: libtbb.so: no such file"]
    assert answer({**request, "engine": "openvino"})["outcome"] == "failed"


def test_a_result_below_the_sites_limit_waits_until_it_is_released(tmp_path: Path) -> None:
    """The reason names organ, figure and limit; the operator's release goes before it."""
    request = to_contour(tmp_path, below_dsc=0.7)

    reply = answer(request)

    assert reply["outcome"] == "refused"
    assert [reason[:42] for reason in reply["reasons"]] == ["Parotid_L: a DSC of 0.62 is expected, less"]
    assert not (tmp_path / "kept.npz").exists()
    assert answer({**request, "insist": True})["outcome"] == "done"
