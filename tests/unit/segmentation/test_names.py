"""Which organ a ROI's name means: closed to everything that is not understood to the last word."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread

from segmentation.errors import StructureSetError
from segmentation.names import VOCABULARY, Match, match_name, match_names, own_names
from segmentation.organ_words import FILLERS, MARKS, MIDLINE, PAIRED, SIDES
from segmentation.structures import BY_NAME, MIRRORED, ORGANS

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
real_data = pytest.mark.skipif(not DATA.is_dir(), reason="the public data are not beside the checkout")
PHRASES = [
    (organ, language, phrase)
    for organ, by_language in {**MIDLINE, **PAIRED}.items()
    for language, phrases in by_language.items()
    for phrase in phrases
]


@st.composite
def named_organs(draw):
    """Draw the words of an organ's name in a language, side included, and the organ."""
    organ, language, phrase = draw(st.sampled_from(PHRASES))
    words = phrase.split()
    if organ in PAIRED:
        word = draw(st.sampled_from([word for word, (_, languages) in SIDES.items() if language in languages]))
        words.append(word)
        organ = f"{organ}_{SIDES[word][0]}"
    return draw(st.permutations(words)), organ


CASES = st.sampled_from([str.upper, str.lower, str.title, str.swapcase, str.capitalize])


@given(named_organs(), st.sampled_from([" ", "_", "-", ". ", "  ", ", ", "/"]), CASES)
def test_case_separators_and_order_do_not_matter(named, separator, case):
    """The words of an organ mean it, however they stand."""
    words, organ = named

    assert match_name(case(separator.join(words))) == Match(organ)


@given(named_organs(), CASES)
def test_words_may_be_written_as_one(named, case):
    """Written together the words mean the organ, or nothing: never another one."""
    words, organ = named

    assert match_name(case("".join(words))).organ in {organ, None}


@given(named_organs(), st.sampled_from(sorted(MARKS)), st.integers(0, 3), st.sampled_from([" ", "_", ""]))
def test_a_mark_is_never_the_organ(named, mark, place, separator):
    """A copy, a margin, a target or a helper is not the organ, wherever the word stands."""
    words, _ = named
    words = [*words[:place], mark, *words[place:]]

    assert match_name(separator.join(words)).organ is None


@given(named_organs(), st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=9), st.integers(0, 3))
def test_an_unknown_word_is_never_the_organ(named, word, place):
    """What is not understood is not guessed."""
    words, organ = named
    match = match_name(" ".join([*words[:place], word, *words[place:]]))

    assert match.organ is None or (match.organ == organ and may_be_cut_into(word, {*SIDES, *FILLERS}))


def may_be_cut_into(word, known):
    """Whether a word is known words written as one, found by trying every cut."""
    return not word or any(word.startswith(each) and may_be_cut_into(word[len(each) :], known) for each in known)


@given(named_organs(), st.sampled_from(["+3mm", "_03", " 2", "~", "!", "+", " (1)", "^x", "?"]))
def test_numbers_and_signs_are_never_the_organ(named, end):
    """A margin, a version or TG-263's signs make it something else."""
    words, _ = named

    assert match_name(" ".join(words) + end).organ is None


@given(st.text(max_size=70))
def test_any_text_has_an_answer(text):
    """Whatever a ROI is called, there is an organ of the project or a reason."""
    match = match_name(text)

    assert (match.organ in BY_NAME) != bool(match.reason)


@given(named_organs())
def test_the_other_side_is_the_other_organ(named):
    """Left and right are never exchanged."""
    words, organ = named
    other = {"L": "right", "R": "left"}.get(organ[-1])
    swapped = [other if word in SIDES else word for word in words]

    assert match_name(" ".join(swapped)).organ == MIRRORED[organ]


@pytest.mark.parametrize("organ", BY_NAME)
def test_tg263_names_mean_themselves(organ):
    """Primary order, reverse order and the words apart."""
    reverse = "_".join(reversed(organ.split("_")))

    assert [match_name(name).organ for name in (organ, reverse, organ.replace("_", " "))] == [organ] * 3


@pytest.mark.parametrize(
    ("name", "organ"),
    [
        ("L_Temporal_Lobe", "Lobe_Temporal_L"),
        ("Brain Stem", "Brainstem"),
        ("BRAINSTEM_", "Brainstem"),
        ("Lt Parotid", "Parotid_L"),
        ("RParotid", "Parotid_R"),
        ("ParotidGland_L", "Parotid_L"),
        ("LTPAROTIDGLAND", "Parotid_L"),
        ("L  lens", "Lens_L"),
        ("Optic-Nerve-Rt", "OpticNrv_R"),
        ("Tronc cérébral", "Brainstem"),
        ("Moelle épinière", "SpinalCord"),
        ("Parotide G", "Parotid_L"),
        ("Nerf optique D", "OpticNrv_R"),
        ("Sehnerv re.", "OpticNrv_R"),
        ("Ohrspeicheldrüse li", "Parotid_L"),
        ("RÜCKENMARK", "SpinalCord"),
        ("Parótida izq.", "Parotid_L"),
        ("PAROTIDA I", "Parotid_L"),
        ("Maxilar inferior", "Bone_Mandible"),
        ("Gl. parotis li.", "Parotid_L"),
        ("Parotis sin.", "Parotid_L"),
        ("Cristallin Dt", "Lens_R"),
        ("Parot_L", "Parotid_L"),
        ("N. óptico der", "OpticNrv_R"),
        ("Médula espinal", "SpinalCord"),
        ("Tronco del encéfalo", "Brainstem"),
        ("左侧腮腺", "Parotid_L"),
        ("腮腺_R", "Parotid_R"),
        ("晶体左", "Lens_L"),
        ("腦幹", "Brainstem"),
        ("ＬＥＮＳ＿Ｌ", "Lens_L"),
    ],
)
def test_usual_names_are_known(name, organ):
    """As departments write them, in five languages."""
    assert match_name(name) == Match(organ)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Copy of Parotid_L", "a copy"),
        ("zParotid_L", "a helper"),
        ("_Parotid_L", "TG-263"),
        ("SpinalCord_PRV05", "planning risk volume"),
        ("cordPRV", "planning risk volume"),
        ("L Lens OPT", "a helper"),
        ("Parotide D - PTV", "a target"),
        ("sub Parotid L", "a part"),
        ("Brainstem_old", "an earlier version"),
        ("TRONC 2mm", "a margin"),
        ("Parotid_L_2", "the number 2"),
        ("Brainstem~", "the sign"),
        ("Spinal Canal", "spinal canal"),
        ("Canal medullaire", "spinal canal"),
        ("Parotid", "the side is missing"),
        ("Lens_L_R", "both sides"),
        ("Bilateral parotid", "both sides"),
        ("Mandible_L", "no sides"),
        ("Parotid D", "unclear"),
        ("Parotid I", "unclear"),
        ("Parótida sin", "unclear"),
        ("ON_L", "no word of an organ"),
        ("Medulla", "no word of an organ"),
        ("Parotid L Lens L", "none of the organs"),
        ("left", "no organ"),
        ("65", "no word"),
        ("", "characters"),
        ("Lens_L" * 11, "characters"),
    ],
)
def test_other_things_are_none_and_say_why(name, reason):
    """A reason tells the operator what stood in the way."""
    match = match_name(name)

    assert match.organ is None
    assert reason in match.reason


def test_two_claims_to_an_organ_are_none():
    """Which of two ROIs is the organ is not guessed; the others are as clear as before."""
    matches = match_names(["Parotid_L", "Parotide G", "Lens_R", "Lens_L", "Lens_L"])

    assert {name: match.organ for name, match in matches.items() if match.organ} == {"Lens_R": "Lens_R"}
    assert "'Parotide G'" in matches["Parotid_L"].reason
    assert "2 ROIs have this name" in matches["Lens_L"].reason


def test_a_site_has_names_of_its_own():
    """Its names are taken as they stand, numbers and all, whatever their case and order."""
    own = own_names({"Parotid_L": ["OSD 1 li"], "Brainstem": ["BS"]})

    assert match_name("osd LI-1", own) == Match("Parotid_L")
    assert match_name("bs", own) == Match("Brainstem")
    assert match_name("OSD 2 li", own).organ is None
    assert match_name("BS").organ is None


def test_names_of_a_site_do_not_contradict():
    """Every fault is in one message: unknown organ, no letter, two organs, another organ's name."""
    with pytest.raises(StructureSetError) as caught:
        own_names({"Chiasm": [], "Lens_L": ["17", "Linse"], "Lens_R": ["linse"], "Parotid_L": ["Parotis rechts"]})

    for part in ("Chiasm is not", "'17' is no name", "stands for Lens_L and for Lens_R", "means Parotid_R"):
        assert part in str(caught.value)


def test_the_words_are_folded_and_do_not_contradict():
    """A word that is not in lower case without accents could never match; a side is no mark; TG-263 names fit."""
    assert all(word == word.casefold() and word.isalpha() for word in VOCABULARY)
    assert not SIDES.keys() & (MARKS.keys() | FILLERS)
    assert all(len(organ.name) <= 16 for organ in ORGANS)
    assert {*MIDLINE, *(f"{base}_{side}" for base in PAIRED for side in "LR")} == set(BY_NAME)


@real_data
@pytest.mark.real_data
def test_names_of_a_french_department_are_understood():
    """Of 49 ROIs of a real head and neck six are organs of ours, and none of the others is taken for one."""
    text = (DATA / "roi_names" / "mim_6.3.9_french.txt").read_text(encoding="utf-8")
    names = re.findall(r"^ *ROIName +(.*?) *$", text, re.MULTILINE)
    matches = match_names(names)

    assert len(names) == 49
    assert {name: match.organ for name, match in matches.items() if match.organ} == {
        "Parotide G": "Parotid_L",
        "Parotide D": "Parotid_R",
        "Tronc": "Brainstem",
        "Nerf optique G": "OpticNrv_L",
        "Nerf optique D": "OpticNrv_R",
        "Mandibule": "Bone_Mandible",
    }


@real_data
@pytest.mark.real_data
def test_names_of_real_structure_sets_are_understood():
    """Of all ROIs of three planning systems one is an organ of ours."""
    files = [path for path in (DATA / "structure_sets").rglob("*.dcm") if path.name.upper().startswith("R")]
    sets = [ds for ds in map(dcmread, files) if ds.Modality == "RTSTRUCT"]
    names = [str(roi.ROIName) for ds in sets for roi in ds.StructureSetROISequence]

    assert len(sets) == 3
    assert {name: match.organ for name, match in match_names(list(dict.fromkeys(names))).items() if match.organ} == {
        "SpinalCord": "SpinalCord"
    }
