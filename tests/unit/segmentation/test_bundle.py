import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from segmentation.bundle import (
    MANIFEST,
    WEIGHTS,
    ExpectedDice,
    Preprocessing,
    bundle_digest,
    read_manifest,
    verify_bundle,
)
from segmentation.errors import BundleError
from tests.support.small_bundle import small_manifest, write_small_bundle


def test_bundle_that_was_written_verifies(tmp_path):
    """What was written is read back."""
    assert verify_bundle(write_to(tmp_path)) == read_manifest(tmp_path)


def write_to(folder):
    write_small_bundle(folder)
    return folder


def test_missing_weights_are_named(tmp_path):
    """The operator learns which file is gone."""
    (write_to(tmp_path) / WEIGHTS).unlink()

    with pytest.raises(BundleError, match=WEIGHTS):
        verify_bundle(tmp_path)


def test_folder_without_manifest_is_no_bundle(tmp_path):
    """An empty folder is refused in a sentence."""
    with pytest.raises(BundleError, match=MANIFEST):
        read_manifest(tmp_path)


def change(folder, **changes):
    path = write_to(folder) / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_unknown_key_is_named(tmp_path):
    """A manifest of a later release is not half understood."""
    change(tmp_path, speed=3)

    with pytest.raises(BundleError, match="speed"):
        read_manifest(tmp_path)


def test_manifest_without_digest_of_the_weights_is_refused(tmp_path):
    """Nothing unverified is loaded."""
    change(tmp_path, sha256={})

    with pytest.raises(BundleError, match="no digest"):
        verify_bundle(tmp_path)


def test_file_outside_the_bundle_is_refused(tmp_path):
    """A manifest cannot point anywhere else."""
    change(tmp_path, sha256={"../elsewhere": "0" * 64, WEIGHTS: "0" * 64})

    with pytest.raises(BundleError, match="outside"):
        verify_bundle(tmp_path)


def test_digest_changes_with_any_setting():
    """Two models that differ in a threshold only are two models."""
    manifest = small_manifest()

    assert bundle_digest(manifest) != bundle_digest(manifest.model_copy(update={"version": "2"}))


@pytest.mark.parametrize("organs", [("Brainstem", "Brainstem", "Parotid_L"), ("Heart",), ()])
def test_organs_must_be_known_and_named_once(organs):
    """A channel whose organ is unclear draws nothing."""
    with pytest.raises(ValidationError):
        small_manifest(organs=organs)


def test_channels_must_fit_the_context():
    """A network of three channels cannot be fed five slices."""
    with pytest.raises(ValidationError, match="context"):
        small_manifest(preprocessing=Preprocessing(pixel_mm=1, slice_mm=1, context=(-2, -1, 0, 1, 2)))


def test_reading_manifests_needs_no_torch():
    """The daemon verifies bundles and never imports torch, scipy or OpenCV."""
    program = (
        "import sys, segmentation.bundle, segmentation.contouring\n"
        "assert not {'torch', 'scipy', 'cv2'} & set(sys.modules), 'too much is imported'"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_only_organs_of_the_model_are_calibrated():
    """And its digest is another than without, for its results say something else."""
    line = ExpectedDice(cases=10, score=0.9, dice=0.8, slope=1.0, highest=0.95, error=0.05)

    assert bundle_digest(small_manifest(calibration={"Brainstem": line})) != bundle_digest(small_manifest())
    with pytest.raises(ValidationError, match="only organs of the model"):
        small_manifest(calibration={"Lens_L": line})
