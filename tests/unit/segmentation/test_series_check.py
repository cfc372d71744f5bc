"""Tests of every reason for holding a series."""

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.series_check import PixelFormat, SliceHeader, check_series
from segmentation.volume_check import CT_IMAGE_STORAGE, check_volume

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SIN_14, COS_14 = math.sin(math.radians(14)), math.cos(math.radians(14))
TILTED = (1.0, 0.0, 0.0, 0.0, COS_14, -SIN_14)
FORMAT = PixelFormat(1, "MONOCHROME2", 16, 12, 11, 0, 1)
CANARY = "CANARY"


def header(index=0, **changes):
    plain = SliceHeader(
        sop_instance_uid=f"1.2.3.{index}",
        sop_class_uid=CT_IMAGE_STORAGE,
        series_instance_uid="1.2.4",
        study_instance_uid="1.2.5",
        frame_of_reference_uid="1.2.6",
        patient_id=CANARY,
        patient_name=CANARY,
        modality="CT",
        image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
        rows=512,
        columns=512,
        pixel_spacing=(1.0, 1.0),
        image_position=(-256.0, -256.0, 3.0 * index),
        image_orientation=AXIAL,
        gantry_tilt_deg=0.0,
        lossy=False,
        rescale=(1.0, -1024.0),
        rescale_type="HU",
        pixel_format=FORMAT,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        acquisition_number=1,
        instance_number=index + 1,
    )
    return replace(plain, **changes)


def series(count=30, **changes):
    return [header(index, **changes) for index in range(count)]


def codes(headers, minimum_slices=20):
    return {reason.code for reason in check_series(headers, minimum_slices=minimum_slices)}


def test_a_plain_series_is_not_held():
    """Thirty axial slices 3 mm apart have nothing against them."""
    assert not check_series(series(), minimum_slices=20)


@pytest.mark.parametrize(
    ("code", "releasable", "changes"),
    [
        ("not-ct", False, {"modality": "MR"}),
        ("not-ct", False, {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7"}),  # Secondary Capture
        ("multi-frame", False, {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.2.1"}),
        ("multi-frame", False, {"pixel_format": replace(FORMAT, number_of_frames=2)}),
        ("pixel-format", False, {"pixel_format": replace(FORMAT, samples_per_pixel=3, photometric="RGB")}),
        ("pixel-format", False, {"pixel_format": replace(FORMAT, bits_allocated=8, bits_stored=8, high_bit=7)}),
        ("pixel-format", False, {"pixel_format": replace(FORMAT, high_bit=15)}),
        ("pixel-format", False, {"pixel_format": replace(FORMAT, pixel_representation=None)}),
        ("transfer-syntax", False, {"transfer_syntax_uid": "1.2.840.10008.1.2.4.51"}),
        ("no-rescale", False, {"rescale": None}),
        ("not-hounsfield", False, {"rescale_type": "ED"}),
        ("no-matrix", False, {"rows": None}),
        ("no-position", False, {"image_position": None}),
        ("no-orientation", False, {"image_orientation": None}),
        ("bad-orientation", False, {"image_orientation": (1.0, 0.0, 0.0, 0.5, 0.8, 0.0)}),
        ("no-pixel-spacing", False, {"pixel_spacing": None}),
        ("too-large", False, {"rows": 65535, "columns": 65535}),
        ("localizer", False, {"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}),
        ("localizer", False, {"image_type": ("ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 TOPOGRAM")}),
        ("secondary-image", True, {"image_type": ("ORIGINAL", "SECONDARY", "AXIAL")}),
        ("derived-image", True, {"image_type": ("DERIVED", "PRIMARY", "MPR")}),
        ("derived-image", True, {"image_type": ("DERIVED", "PRIMARY")}),
        ("derived-image", True, {"image_type": ("DERIVED", "PRIMARY", "AXIAL", "AVERAGE")}),  # over the breath
        ("derived-image", True, {"image_type": ("ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 MIP")}),
        ("lossy", True, {"lossy": True}),
        ("lossy", True, {"transfer_syntax_uid": "1.2.840.10008.1.2.4.91"}),
        ("no-patient-id", False, {"patient_id": ""}),
        ("no-uid", False, {"study_instance_uid": ""}),
        ("no-frame-of-reference", False, {"frame_of_reference_uid": ""}),
        ("gantry-tilt-stated", True, {"gantry_tilt_deg": -12.0}),
        ("on-the-side", True, {"image_orientation": (0.0, 1.0, 0.0, -1.0, 0.0, 0.0)}),
    ],
)
def test_what_is_wrong_with_all_slices_is_the_one_reason(code, releasable, changes):
    """A series with one fault is held for that and for nothing else."""
    (reason,) = check_series(series(**changes), minimum_slices=20)

    assert (reason.code, reason.releasable) == (code, releasable)
    assert reason.text.startswith(("all slices", "the "))


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("mixed-patient", {"patient_id": "OTHER"}),
        ("mixed-patient", {"patient_name": "OTHER"}),
        ("mixed-study", {"study_instance_uid": "1.2.9"}),
        ("mixed-series", {"series_instance_uid": "1.2.9"}),
        ("mixed-frame-of-reference", {"frame_of_reference_uid": "1.2.9"}),
        ("mixed-matrix", {"columns": 511}),
        ("mixed-pixel-spacing", {"pixel_spacing": (1.0, 1.01)}),
        ("mixed-orientation", {"image_orientation": (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0)}),
        ("duplicate-uid", {"sop_instance_uid": "1.2.3.2"}),
        ("shifted-slices", {"image_position": (-253.0, -256.0, 15.0)}),
    ],
)
def test_one_slice_that_differs_holds_the_series(code, changes):
    """Slices that disagree are never contoured, whatever an operator says."""
    headers = series()
    headers[5] = replace(headers[5], **changes)

    found = {reason.code: reason.releasable for reason in check_series(headers, minimum_slices=20)}

    # A slice that faces another way is no longer in the stack, so it is missing there too.
    assert found == {code: False} | ({"missing-slice": True} if code == "mixed-orientation" else {})


def test_a_missing_slice_is_named_with_its_place():
    """The sentence has the places of both neighbours, the step and the usual step."""
    headers = series()
    del headers[10]

    (reason,) = check_series(headers, minimum_slices=20)

    assert reason.releasable
    assert reason.text == "1 slice seems to be missing between 27.0 and 33.0 mm (6.0 mm apart, where 3.0 mm are usual)"


def test_many_gaps_are_not_all_named():
    """Beyond three gaps the sentence only counts."""
    headers = [item for index, item in enumerate(series(60)) if index not in {10, 20, 30, 40, 50}]

    (reason,) = check_series(headers, minimum_slices=20)

    assert reason.text.startswith("5 slices seem to be missing between 27.0 and 33.0 mm")
    assert reason.text.endswith("and at 2 more places")


def test_three_then_five_millimetres_is_contoured():
    """Uneven but legal spacing is no reason to hold."""
    places = [*np.arange(0, 60, 3), *np.arange(60, 160, 5)]

    headers = [header(index, image_position=(0.0, 0.0, float(place))) for index, place in enumerate(places)]

    assert not codes(headers)


@given(st.lists(st.tuples(*[st.floats(-0.01, 0.01)] * 3), min_size=20, max_size=40), st.randoms(use_true_random=False))
def test_jitter_and_order_do_not_matter(jitter, random):
    """Positions up to 0.01 mm off, in any order, are an even stack."""
    headers = [
        header(index, image_position=(x, y, 3.0 * index + z), instance_number=None)
        for index, (x, y, z) in enumerate(jitter)
    ]
    random.shuffle(headers)

    assert not codes(headers)


def test_two_slices_at_one_place_are_told_with_their_acquisitions():
    """Two acquisitions in one series share places; nobody can say which is meant."""
    headers = [
        *series(),
        *(replace(item, sop_instance_uid=f"9.{i}", acquisition_number=2) for i, item in enumerate(series())),
    ]

    (reason,) = check_series(headers, minimum_slices=20)

    assert (reason.code, reason.releasable) == ("duplicate-position", False)
    assert "30 places" in reason.text
    assert "2 acquisitions" in reason.text


def test_a_tilted_gantry_is_seen_in_the_positions():
    """Planes that lean 14 degrees while the couch moves straight are a tilt, though no header says so."""
    (reason,) = check_series(series(image_orientation=TILTED, gantry_tilt_deg=None), minimum_slices=20)

    assert reason.code == "gantry-tilt"
    assert "14.0 degrees" in reason.text


def test_a_shear_in_upright_planes_is_a_tilt():
    """Upright planes whose origins climb sideways are a tilt too."""
    headers = [header(index, image_position=(0.0, 0.6 * index, 3.0 * index)) for index in range(30)]

    assert codes(headers) == {"gantry-tilt"}


def test_a_stated_tilt_that_the_positions_show_is_one_reason():
    """A tilt is told once, however many places say it."""
    assert codes(series(image_orientation=TILTED, gantry_tilt_deg=14.0)) == {"gantry-tilt"}


def test_an_oblique_reformat_is_not_a_tilt():
    """Planes that lean and are stacked along their normal are oblique."""
    normal = np.array([0.0, SIN_14, COS_14])
    headers = [
        header(index, image_orientation=TILTED, image_position=tuple(3.0 * index * normal)) for index in range(30)
    ]

    assert codes(headers) == {"oblique"}


@pytest.mark.parametrize(
    ("row", "column"),
    [((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)), ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))],
    ids=["sagittal", "coronal"],
)
def test_sagittal_and_coronal_planes_are_held(row, column):
    """Planes that are not axial are no planning CT."""
    normal = np.cross(row, column)
    headers = [
        header(index, image_orientation=row + column, image_position=tuple(3.0 * index * normal)) for index in range(30)
    ]

    assert codes(headers) == {"not-axial"}


@pytest.mark.parametrize(
    "orientation",
    [(1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0), (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)],
    ids=["supine", "prone", "seen from the head"],
)
def test_lying_on_back_or_belly_is_no_reason(orientation):
    """Head first and feet first, supine and prone are all contoured."""
    assert not codes(series(image_orientation=orientation))


@pytest.mark.parametrize("image_type", [(), ("ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI")])
def test_planning_cts_of_these_image_types_are_contoured(image_type):
    """What scanners write on planning CTs is no reason to hold."""
    assert not codes(series(image_type=image_type))


def test_names_that_differ_by_trailing_carets_agree():
    """An exporter's habit does not make two patients of one."""
    headers = series(patient_name="Canary^A")
    headers[3] = replace(headers[3], patient_name="CANARY^A^^")

    assert not codes(headers)


@pytest.mark.parametrize(("count", "held"), [(19, True), (20, False)])
def test_the_minimum_is_the_least_that_is_contoured(count, held):
    """A series of the minimum is contoured, one slice fewer is held."""
    assert ("too-few-slices" in codes(series(count))) is held


def test_no_slices_at_all_is_a_reason():
    """An empty series is held and nothing breaks."""
    assert codes([]) == {"no-slices", "too-few-slices"}


def test_all_reasons_are_given():
    """Faults do not hide one another."""
    headers = series(10, patient_id="", lossy=True, gantry_tilt_deg=10.0)
    del headers[5]

    assert codes(headers) == {"no-patient-id", "lossy", "gantry-tilt-stated", "missing-slice", "too-few-slices"}


def test_slices_without_geometry_leave_the_rest_to_be_judged():
    """The slices that can be placed are still looked at."""
    headers = series()
    headers[3] = replace(headers[3], image_position=None)
    del headers[10:12]

    assert codes(headers) == {"no-position", "missing-slice"}


def test_reasons_that_forbid_a_volume_are_among_all_reasons():
    """What reading refuses, the check has said before, and nobody can release it."""
    headers = series(image_position=None, pixel_spacing=None, lossy=True)

    forbidding = check_volume(headers)

    assert set(forbidding) < set(check_series(headers, minimum_slices=20))
    assert not any(reason.releasable for reason in forbidding)


def test_no_identity_is_shown():
    """Neither a header's representation nor a reason has the patient's name or ID."""
    headers = [*series(), header(31, patient_id=CANARY + "2", patient_name=CANARY + "3")]

    assert CANARY not in repr(headers) + repr(check_series(headers, minimum_slices=20))


def test_the_check_is_light_enough_for_the_daemon():
    """Importing the check and the reader loads none of the heavy libraries."""
    code = "import sys, segmentation.ct, segmentation.series_check; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()

    assert not {"torch", "scipy", "cv2", "highdicom"} & set(loaded)
