"""Models on cases with drawn organs: each metric by organ, on the CT's own grid, by the whole way of prediction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from adaptation.comparison import OrganComparison, compare_masks
from adaptation.labelled_ct import Case, LabelledCt, first_known
from adaptation.surface import added_path_mm
from segmentation.contouring import Contouring
from segmentation.geometry import Grid
from segmentation.organ_mask import OrganMask
from segmentation.predict import Predictor
from segmentation.volume import Volume

NOTHING = np.zeros((1, 1, 1), dtype=np.bool_)
NOT_FOUND = "not found"


@dataclass(frozen=True)
class Score:
    """One organ of one case.

    Args:
        case: its name.
        organ: TG-263 name.
        comparison: of what was found, A, with what was drawn, B.
    """

    case: str
    organ: str
    comparison: OrganComparison

    @property
    def dice(self) -> float:
        """Dice coefficient; 0 where the model did not find what was drawn."""
        return self.comparison.dsc

    @property
    def is_found(self) -> bool:
        """Whether the model drew anything."""
        return self.comparison.note != NOT_FOUND


@dataclass(frozen=True, eq=False)
class Model:
    """What is judged: one bundle, or the bundles of single organs.

    Args:
        name: with its version.
        digest: of the manifest, or of several.
        predictors: each organ is one's.
    """

    name: str
    digest: str
    predictors: tuple[Predictor, ...]

    @property
    def organs(self) -> tuple[str, ...]:
        """Those that it knows."""
        return tuple(organ for predictor in self.predictors for organ in predictor.manifest.organs)

    def contour(self, volume: Volume) -> tuple[Contouring, ...]:
        """Return what each of its bundles draws on a CT.

        Raises:
            GeometryError: for planes that are not axial.
        """
        return tuple(predictor.predict(volume) for predictor in self.predictors)


def judge_case(case: str, found: Mapping[str, OrganMask], labelled: LabelledCt, known: Sequence[str]) -> list[Score]:
    """Return the scores of one case: of every organ that was drawn with a voxel on the CT and that is known.

    Args:
        case: its name.
        found: by a model.
        labelled: what was drawn.
        known: organs that the model could have found.
    """
    return [
        Score(case, organ, judge_organ(organ, found.get(organ), mask, labelled.volume.grid))
        for organ, mask in labelled.masks.items()
        if organ in known and mask.any()
    ]


def judge_organ(organ: str, found: OrganMask | None, drawn: NDArray[np.bool_], grid: Grid) -> OrganComparison:
    """Return how alike a found organ is to a drawn one.

    An organ that was drawn and not found has a DSC and a surface DSC of 0 at any tolerance, the whole drawn contour as
    added path, a volume ratio of 0, and no HD95 (NaN): it is counted, and no distance is made up. What was found on
    slices of which the drawing does not say whether the organ is there does not count.

    Args:
        organ: TG-263 name.
        found: None, or without a voxel, where the model found nothing.
        drawn: bool, the CT's shape, not empty.
        grid: of the CT.
    """
    wanted = OrganMask.from_full(drawn)
    (compared,) = compare_masks({organ: known_part(organ, found, drawn)}, {organ: wanted}, grid)
    if not compared.note:
        return compared
    nowhere = OrganMask(wanted.grid_shape, (0, 0, 0), NOTHING)
    return replace(
        compared,
        surface_dsc=dict.fromkeys(compared.surface_dsc, 0.0),
        added_path_mm=float(added_path_mm(nowhere, wanted, grid).sum()),
        note=NOT_FOUND,
    )


def known_part(organ: str, found: OrganMask | None, drawn: NDArray[np.bool_]) -> OrganMask | None:
    """Return what of a found organ lies on slices of which the drawing says whether the organ is there."""
    if found is None or not (first := max(0, first_known(organ, drawn) - found.start[0])):
        return found
    mask = found.mask.copy()
    mask[:first] = False
    return replace(found, mask=mask)


def evaluate(
    predictor: Predictor, cases: Sequence[Case], report: Callable[[list[Score]], None] = lambda _scores: None
) -> list[Score]:
    """Return the scores of every organ that was drawn and that the model knows.

    Args:
        predictor: the model.
        cases: which it has not learnt from.
        report: told the scores of each case.
    """
    scores = []
    for case in cases:
        labelled = case.load()
        found = predictor.predict(labelled.volume).organs
        of_case = judge_case(case.name, found, labelled, predictor.manifest.organs)
        report(of_case)
        scores += of_case
    return scores


def mean_by_organ(scores: Sequence[Score]) -> dict[str, float]:
    """Return the mean Dice of each organ."""
    organs = dict.fromkeys(score.organ for score in scores)
    return {organ: float(np.mean([score.dice for score in scores if score.organ == organ])) for organ in organs}
