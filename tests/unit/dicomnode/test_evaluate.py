"""The command `evaluate`, on made patients, with a real model that knows their three organs."""

import base64
import csv
import json
import math
import re
from html.parser import HTMLParser

import pytest
import torch

from adaptation.errors import CaseError
from adaptation.learnt_from import write_learnt_from
from dicomnode.commands.evaluate import evaluate
from dicomnode.errors import NodeError
from segmentation.bundle import ExpectedDice
from tests.support.cases import write_case
from tests.support.small_bundle import write_small_bundle
from tests.support.tiny import ORGAN_HU, write_tiny_bundle

MOVED = {6: 2}  # patient to columns by which the contours were drawn beside the organs


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """So small networks only wait for their threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Six patients: of the second no left parotid was drawn, the sixth's contours are shifted."""
    place = tmp_path_factory.mktemp("patients")
    for number in range(1, 7):
        organs = [organ for organ in ORGAN_HU if (number, organ) != (2, "Parotid_L")]
        write_case(place / f"Doe^Jane {number}", number, organs=organs, moved=MOVED.get(number, 0))
    return place


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """A model that finds the organs, and one of random weights that does not."""
    place = tmp_path_factory.mktemp("bundles")
    write_tiny_bundle(place / "tiny")
    write_small_bundle(place / "small")
    return place / "tiny", place / "small"


@pytest.fixture(scope="module")
def compared(data, bundles, tmp_path_factory):
    """The report of the good model against the other, and where it was written."""
    out = tmp_path_factory.mktemp("report")
    return evaluate(bundles, data, out=out, key=out / "key.csv", device="cpu"), out


class _Words(HTMLParser):
    """What a page shows, and what it would fetch."""

    def __init__(self):
        super().__init__()
        self.text, self.fetched = [], []

    def handle_data(self, data):
        self.text.append(data)

    def handle_starttag(self, _tag, attributes):
        self.fetched += [value for name, value in attributes if name in {"src", "href"}]


def test_every_organ_that_was_drawn_is_scored(compared):
    """17 of 18; the model that knows the organs finds them."""
    report, _ = compared

    assert len(report.scores) == 17
    assert {one.organ: one.summaries["dsc"].count for one in report.organs} == {
        "Brainstem": 6, "Parotid_L": 5, "Parotid_R": 6
    }  # fmt: skip
    assert all(one.summaries["dsc"].mean > 0.8 and one.not_found == 0 for one in report.organs)


def test_better_model_is_better_with_a_p_value(compared):
    """In each of six cases: p is 1 / 64, and the interval of the difference lies above 0."""
    report, _ = compared
    difference = report.mean.differences["dsc"]

    assert difference.p == pytest.approx(1 / 64)
    assert difference.summary.low > 0.3


def test_worst_case_is_the_one_that_was_drawn_beside(compared):
    """Its number is that of the shifted patient, for each organ."""
    report, _ = compared
    with (compared[1] / "key.csv").open() as file:
        numbers = {row["where"]: int(row["case"]) for row in csv.DictReader(file)}
    (shifted,) = (number for where, number in numbers.items() if "Jane 6" in where)

    worst = [min((s for s in report.scores if s.organ == organ), key=lambda s: s.dice) for organ in ORGAN_HU]

    assert {report.numbers[score.case] for score in worst} == {shifted}


def test_report_tells_no_identity(compared):
    """Neither page nor JSON holds a name, a UID, a path or a pseudonym; cases are numbers."""
    report, out = compared

    for file in ("report.html", "report.json"):
        text = re.sub(r"base64,[^\"]*", "", (out / file).read_text())
        assert not re.search(r"Doe|Jane|MADE|2\.25\.|1\.2\.826|/tmp|ct-[0-9a-f]", text)
    assert set(report.numbers.values()) == set(range(1, 7))


def test_page_is_one_file_with_its_pictures(compared):
    """Nothing is fetched from anywhere: box plots and worst cases are in it, and real PNGs."""
    _, out = compared
    words = _Words()
    words.feed((out / "report.html").read_text())

    pictures = [base64.b64decode(source.removeprefix("data:image/png;base64,")) for source in words.fetched]
    assert [picture[:4] for picture in pictures] == [b"\x89PNG"] * 2
    assert {"By organ", "Difference", "Worst cases", "Brainstem"} <= {text.strip() for text in words.text}


def test_json_has_every_figure(compared):
    """As the page, by organ and by case; what is no number is null, not NaN."""
    _, out = compared
    value = json.loads((out / "report.json").read_text(), parse_constant=pytest.fail)

    assert value["organs"]["Parotid_L"]["dsc"]["count"] == 5
    assert set(value["organs"]["Brainstem"]["hd95_mm"]) == {"count", "mean", "sd", "low", "high"}
    assert value["organs"]["Brainstem"]["difference"]["dsc"]["p_one_sided"] == pytest.approx(1 / 64)
    assert len(value["scores"]) == len(value["scores_against"]) == 17
    assert {"dsc", "hd95_mm", "surface_dsc_1_mm", "surface_dsc_3_mm", "added_path_mm", "volume_ratio"} <= set(
        value["scores"][0]
    )


def test_model_that_finds_nothing_is_reported_so(data, bundles, tmp_path):
    """Not found counts with a DSC of 0; the page is made all the same."""
    report = evaluate([bundles[1]], data, out=tmp_path, device="cpu")

    missed = [score for score in report.scores if not score.is_found]
    assert all(score.dice == 0 and math.isnan(score.comparison.hd95_mm) for score in missed)
    assert report.mean.differences == {}
    assert "Difference" not in (tmp_path / "report.html").read_text()


def test_the_model_s_own_words_are_held_against_what_came(data, tmp_path):
    """A model that expects .9 of brainstems, and nothing of parotids, has an error for the former alone."""
    line = ExpectedDice(cases=3, score=0.5, dice=0.9, slope=0.0, highest=1.0, error=0.1)
    write_tiny_bundle(tmp_path / "sure", calibration={"Brainstem": line})

    report = evaluate([tmp_path / "sure"], data, out=tmp_path, device="cpu", threshold=0.95)

    said = json.loads((tmp_path / "report.json").read_text())["foretold"]
    reached = [score.dice for score in report.scores if score.organ == "Brainstem"]
    assert said["threshold_dsc"] == 0.95
    assert said["organs"]["Brainstem"]["below"] == {"count": 6, "dice": pytest.approx(sum(reached) / 6)}
    assert said["organs"]["Brainstem"]["mean_absolute_error"] == pytest.approx(sum(abs(0.9 - d) for d in reached) / 6)
    assert (said["organs"]["Parotid_R"]["expected"], said["organs"]["all organs"]["expected"]) == (0, 6)
    assert "less than 0.95 was expected" in (tmp_path / "report.html").read_text()


def test_model_is_not_judged_on_what_it_learnt_from(data, bundles, tmp_path):
    """Nor on what the other one learnt from; the report says how many cases that leaves out."""
    report = evaluate([bundles[0]], data, device="cpu")
    names = list(report.numbers)
    write_tiny_bundle(tmp_path / "knows")
    write_learnt_from(tmp_path / "knows", names[:4])

    honest = evaluate([bundles[0], tmp_path / "knows"], data, device="cpu")
    write_learnt_from(tmp_path / "knows", names)

    assert (list(honest.numbers), honest.left_out) == (names[4:], {"learnt from by a model": 4})
    with pytest.raises(CaseError, match="6 cases: learnt from"):
        evaluate([tmp_path / "knows"], data, device="cpu")


def test_what_is_no_bundle_is_said(data, tmp_path):
    """Before any case is read."""
    with pytest.raises(NodeError, match="is no bundle"):
        evaluate([tmp_path], data)
