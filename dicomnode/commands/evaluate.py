"""A model, or one against another, on cases with drawn organs: a report for people and one for programs."""

import csv
import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from adaptation.data_folder import find_cases
from adaptation.errors import CaseError
from adaptation.evaluate import Model, Score, judge_case
from adaptation.foretold import GOOD_DSC, Key, Said, foretold
from adaptation.labelled_ct import Case
from adaptation.learnt_from import read_learnt_from
from adaptation.report import About, Report, as_json, report_of
from adaptation.report_page import page_of
from adaptation.worst import Worst
from dicomnode.errors import NodeError
from segmentation.durable import write_whole
from segmentation.errors import GeometryError
from segmentation.names import NO_OWN_NAMES, OwnNames
from segmentation.network.beginning import is_bundle
from segmentation.predict import load_predictor

LEARNT = "learnt from by a model"
UNREADABLE = "cannot be read or contoured"
NO_ORGAN = "none of the organs that the models know was drawn"


def evaluate(
    bundles: Sequence[Path],
    data: Path,
    *,
    out: Path | None = None,
    key: Path | None = None,
    own: OwnNames = NO_OWN_NAMES,
    device: str = "auto",
    include_learnt: bool = False,
    automatic: bool = False,
    threshold: float = GOOD_DSC,
    say: Callable[[str], None] = lambda _text: None,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Report:
    """Judge a model on cases, and write the report.

    Args:
        bundles: the model; a second one is what it is compared with. Each a bundle, or a folder of one an organ.
        data: folder of cases, as for `train`.
        out: folder for `report.html` and `report.json`.
        key: CSV file that says which case has which number; it stays with who may know.
        own: the site's own names of organs.
        device: on which the models run.
        include_learnt: judge a model on what it has learnt from, too.
        automatic: take what a program drew and nobody approved for the truth.
        threshold: of the expected DSC; the report says what came of organs below it and above.
        say: told what is left out, a line each time.
        progress: told how many cases of how many are done.

    Raises:
        NodeError: where a bundle is none or a file cannot be written.
        CaseError: where no case is left.
        BundleError: where a bundle cannot be used.
    """
    models = [_load(bundle, device) for bundle in bundles]
    found = find_cases(data, own, automatic=automatic)
    for one in found.left_out:
        say(f"{one.what} is left out: {one.reason}")
    learnt = frozenset[str]() if include_learnt else frozenset[str]().union(*map(_learnt_from, bundles))
    cases = [case for case in found.cases if case.name not in learnt]
    left_out = Counter({LEARNT: len(found.cases) - len(cases)}) if len(cases) < len(found.cases) else Counter[str]()
    scores: list[list[Score]] = [[] for _ in models]
    said: dict[Key, Said] = {}
    worst, judged = Worst(), []
    for number, case in enumerate(cases):
        progress(number, len(cases))
        try:
            of_case = _judge(models, case, worst, said)
        except (CaseError, GeometryError) as error:
            say(f"{case.name} is left out: {error}")
            left_out[UNREADABLE] += 1
            continue
        if not of_case[0]:
            left_out[NO_ORGAN] += 1
            continue
        judged.append(case)
        for all_scores, some in zip(scores, of_case, strict=True):
            all_scores.extend(some)
    if not judged:
        raise CaseError("; ".join(f"{count} cases: {reason}" for reason, count in left_out.items()) or "no case")
    abouts = [About(model.name, model.digest) for model in models]
    found_out = foretold(scores[0], said, threshold)
    report = replace(
        report_of(abouts, scores, [case.name for case in judged], left_out), foretold=found_out, threshold=threshold
    )
    _write(report, worst, judged, out, key)
    return report


def _judge(models: Sequence[Model], case: Case, worst: Worst, said: dict[Key, Said]) -> list[list[Score]]:
    """Return the scores of each model on one case; note what the first said of its own contours."""
    labelled = case.load()
    drawn = [model.contour(labelled.volume) for model in models]
    for one in drawn[0]:
        for organ in one.organs:
            said[case.name, organ] = Said(one.expected_dice.get(organ, math.nan), organ in one.doubts)
    found = [{organ: mask for one in some for organ, mask in one.organs.items()} for some in drawn]
    scores = [judge_case(case.name, each, labelled, m.organs) for m, each in zip(models, found, strict=True)]
    worst.look_at(scores[0], labelled, found)
    return scores


def _folders(bundle: Path) -> list[Path]:
    """Return the bundles of a path: itself, or those in it, one an organ."""
    folders = [bundle] if is_bundle(bundle) else sorted(path for path in bundle.glob("*") if is_bundle(path))
    if not folders:
        raise NodeError(f"{bundle} is no bundle, and there is none in it")
    return folders


def _load(bundle: Path, device: str) -> Model:
    """Return a model, with all its organs."""
    predictors = tuple(load_predictor(folder, device) for folder in _folders(bundle))
    organs = [organ for predictor in predictors for organ in predictor.manifest.organs]
    if len(set(organs)) < len(organs):
        raise NodeError(f"{bundle} holds several bundles that know the same organ: name one of them")
    first = predictors[0].manifest
    if len(predictors) == 1:
        return Model(f"{first.name} {first.version}", predictors[0].digest, predictors)
    digest = hashlib.sha256("".join(predictor.digest for predictor in predictors).encode()).hexdigest()
    return Model(f"{bundle.name} {first.version}, a network for each organ", digest, predictors)


def _learnt_from(bundle: Path) -> frozenset[str]:
    return frozenset[str]().union(*map(read_learnt_from, _folders(bundle)))


def _write(report: Report, worst: Worst, cases: Sequence[Case], out: Path | None, key: Path | None) -> None:
    """Write the report's files, and the key where it is wanted."""
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            write_whole(out / "report.json", (json.dumps(as_json(report), indent=1, allow_nan=False) + "\n").encode())
            write_whole(out / "report.html", page_of(report, worst.in_order()).encode())
        if key is not None:
            text = io.StringIO()
            csv.writer(text).writerows(
                [["case", "name", "where"], *([report.numbers[case.name], case.name, case.where] for case in cases)]
            )
            write_whole(key, text.getvalue().encode())
    except OSError as error:
        raise NodeError(f"{error.filename or out} cannot be written: {error.strerror}") from error
