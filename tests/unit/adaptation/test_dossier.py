import json
import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from adaptation.dossier import encoded
from adaptation.dossier_page import page_of
from adaptation.looks import Look
from benchmarks.gate.patients import Population, gains_of
from tests.support.dossiers import dossier
from tests.support.scores import even

BETTER = dossier(gains_of(1, 20, Population(gain=0.02), np.random.default_rng(1))[0])
WORSE = dossier(gains_of(1, 20, Population(gain=-0.02), np.random.default_rng(1))[0])


@pytest.mark.parametrize("one", [BETTER, WORSE], ids=["better", "worse"])
def test_json_holds_every_finding_and_no_nan(one):
    """A program reads the same reasons and numbers as the physicist."""
    read = json.loads(json.dumps(encoded(one), allow_nan=False))

    assert read["impact_assessment"]["reasons"] == list(one.verdict.reasons)
    assert len(read["impact_assessment"]["whole"]) == len(one.verdict.whole)
    assert read["modification_protocol"]["evaluation"]["limits"]["gate"]["large_drop"] == 0.02
    assert read["modification_protocol"]["data"]["counts"]["gate"]["cases"] == 20
    assert len(read["looks"]) == 4


def test_page_has_the_parts_of_the_plan():
    """Description, protocol with its four parts, impact, versions; the verdict before them."""
    page = page_of(BETTER)

    titles = [re.sub("<[^>]+>", "", title) for title in re.findall(r"<h[123]>.*?</h[123]>", page)]
    assert titles == [
        "Change dossier adapt:site:2026-05-04",
        "1 Description of the modification",
        "2 Modification protocol",
        *("2.1 Data", "2.2 Re-training", "2.3 Evaluation", "2.4 Update"),
        "3 Impact assessment",
        "4 Version control",
    ]
    assert page.index("Passed.") < page.index("1 Description")


def test_page_says_every_reason_against():
    """In the words of the gate."""
    page = page_of(WORSE)

    assert WORSE.verdict.reasons
    assert [reason for reason in WORSE.verdict.reasons if reason.replace("'", "&#x27;") not in page] == []


def test_page_names_no_patient_and_needs_no_other_file():
    """Not even by a pseudonym; pictures are in it."""
    page = page_of(BETTER)

    assert "patient0" not in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)


def test_organs_that_win_alone_are_shown_as_such():
    """What goes over is said, and why each other organ stays."""
    gains = even(20, 0.0)
    gains[:, 4] += 0.05
    page = page_of(dossier(gains))

    assert "Would go over: Parotid_L." in page
    assert "Lens_R is not better by itself, and the whole did not pass" in page


def test_a_gate_without_cases_makes_a_page_too():
    """The refusal is a record like any other."""
    assert "no case was judged" in page_of(dossier(np.zeros((0, 12))))


def test_a_worn_gate_is_said_on_the_page_and_in_the_json():
    """A year after its first look, or behind the twentieth; a fresh one says nothing."""
    old = replace(BETTER, looks=(Look(BETTER.change.at - timedelta(days=400), 0.01, False), *BETTER.looks))
    often = replace(BETTER, looks=tuple(Look(BETTER.change.at, 0.001, False) for _ in range(20)))

    for one, count in ((old, 5), (often, 20)):
        assert f"have been looked at {count} times" in page_of(one)
        assert "are to be replaced" in encoded(one)["warning"]
    assert encoded(BETTER)["warning"] == ""
    assert "are to be replaced" not in page_of(BETTER)
