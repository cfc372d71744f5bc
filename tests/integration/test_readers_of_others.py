"""Other people's readers, each in an environment of its own, on one geometry; the grid of all is a benchmark."""

import itertools
import os
from pathlib import Path

import pytest

from benchmarks.structure_sets.environments import STEMS, make, python_of
from benchmarks.structure_sets.grid import CONTENTS, read_scenes, write_scene
from segmentation.contours import CLINICAL, EXACT

pytestmark = pytest.mark.peer


def need_environment(reader: str) -> None:
    """Make a reader's environment in CI; elsewhere skip where it is missing."""
    if os.environ.get("CI") == "true":
        make(reader)
    elif not python_of(reader).exists():
        pytest.skip(f"{reader} is not installed: python -m benchmarks.structure_sets.environments")


@pytest.mark.parametrize("reader", STEMS)
def test_a_reader_of_others_sees_every_voxel(tmp_path: Path, reader: str) -> None:
    """Organs and awkward masks of both profiles, but where the reader is known to round vertices."""
    need_environment(reader)
    drawn = itertools.product(CONTENTS, (CLINICAL, EXACT))
    scenes = [write_scene(tmp_path / f"{content}-{by.name}", "FFS", content, by) for content, by in drawn]

    results = read_scenes(reader, scenes)

    assert [result.wrong for result in results if result.fault is None][-2:] == [0, 0]
    assert not any(result.is_unexplained for result in results)
