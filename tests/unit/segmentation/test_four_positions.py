"""A left organ stays left however the patient lies, from files to masks."""

from pathlib import Path

import numpy as np
import pytest

from segmentation.autocontour import contour_files
from segmentation.contouring import Contouring
from segmentation.ct import read_ct_series
from segmentation.phantom_series import write_series
from segmentation.predict import Predictor, load_predictor
from tests.support.series import DIRECTIONS, POSITIONS, series_of
from tests.support.tiny import marked_phantom, write_tiny_bundle

Contoured = tuple[Contouring, dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(folder)
    return load_predictor(folder, "cpu")


def contour(folder: Path, predictor: Predictor, position: str, said: str) -> Contoured:
    """Return what is found in a patient in a position, and each organ's centroid in patient mm."""
    paths = write_series(series_of(marked_phantom(), position=position, header={"PatientPosition": said}), folder)
    found = contour_files(paths, predictor, insist=True)
    grid = read_ct_series(paths).volume.grid
    centroids = {}
    for name, organ in found.organs.items():
        middle, *row_column = np.argwhere(organ.full()).mean(axis=0)
        centroids[name] = grid.to_patient(round(middle), np.array([row_column]))[0]
    return found, centroids


@pytest.fixture(scope="module")
def upright(tmp_path_factory: pytest.TempPathFactory, predictor: Predictor) -> Contoured:
    """The patient head first and supine, as the network sees everybody."""
    return contour(tmp_path_factory.mktemp("HFS"), predictor, "HFS", "HFS")


@pytest.mark.parametrize("says_so", [True, False])
@pytest.mark.parametrize("position", POSITIONS)
def test_organs_are_where_they_are_in_every_position(
    tmp_path: Path, predictor: Predictor, upright: Contoured, position: str, *, says_so: bool
) -> None:
    """The same voxels of the patient, in the pixel order of the CT, with Patient Position or without."""
    found, centroids = contour(tmp_path, predictor, position, position if says_so else "")

    along_row, along_column = DIRECTIONS[position]
    assert set(found.organs) == {"Brainstem", "Parotid_L", "Parotid_R"}
    for name, organ in found.organs.items():
        turned = organ.full()[:, ::along_column, ::along_row]
        assert np.array_equal(turned, upright[0].organs[name].full())
        assert np.allclose(centroids[name], upright[1][name], atol=2.0)
    assert centroids["Parotid_L"][0] > centroids["Parotid_R"][0]
