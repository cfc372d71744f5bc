"""Who is contoured blind."""

from dicomnode.blinding import is_chosen
from dicomnode.log import Pseudonyms

PATIENTS = [Pseudonyms(b"key").identity_of(f"patient {number}") for number in range(2000)]


def test_the_share_of_the_patients_is_chosen() -> None:
    """Of 2000 patients a twentieth, give or take four standard deviations of so many draws."""
    chosen = sum(is_chosen(patient, 0.05) for patient in PATIENTS)

    assert 61 <= chosen <= 139


def test_a_larger_share_has_everybody_of_a_smaller_one() -> None:
    """Who was contoured blind before the share was raised still is."""
    before, after = ({patient for patient in PATIENTS if is_chosen(patient, share)} for share in (0.05, 0.1))

    assert before < after


def test_another_key_chooses_others() -> None:
    """Nobody can tell from a Patient ID alone who is contoured blind."""
    others = [Pseudonyms(b"other").identity_of(f"patient {number}") for number in range(2000)]

    assert [is_chosen(one, 0.2) for one in PATIENTS] != [is_chosen(one, 0.2) for one in others]


def test_nobody_is_chosen_by_default_nor_without_an_id() -> None:
    """A patient who cannot be found again is not contoured blind."""
    assert not any(is_chosen(patient, 0.0) for patient in PATIENTS)
    assert not is_chosen("", 1.0)
