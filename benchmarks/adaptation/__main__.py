"""What adaptation costs: seconds of a step, and how soon a model is as good, each way, in one run.

    PYTHONPATH=. python -m benchmarks.adaptation steps --data OPENKBP            # small network
    PYTHONPATH=. python -m benchmarks.adaptation steps --data OPENKBP --full     # ResNet-101, a few steps
    PYTHONPATH=. python -m benchmarks.adaptation accuracy --data OPENKBP --base BUNDLE --out DIR

DATA holds `target/*.npz` as docs/models.md describes them; BUNDLE has seen none of them. Curves are kept in DIR and not
measured again, and a training that was cut short goes on.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import torch

from adaptation.openkbp import list_patients
from adaptation.presets import Wish, recipe_of
from adaptation.recipes import Recipe
from adaptation.samples import Prepared, Variation, prepare
from benchmarks.adaptation.accuracy import NOTHING, VIEWS, Experiment, curve_of, experiment, first_step
from benchmarks.adaptation.steps import Timing, time_steps
from benchmarks.adaptation.ways import WAYS, lessons_of
from segmentation.bundle import read_manifest, shipped_bundle
from segmentation.network.beginning import new_segmenter
from segmentation.network.variant import Variant

GAIN_SHARE = 0.95  # of the gain of a training of all places from the base, that counts as that gain


def recipe_to_time(arguments: argparse.Namespace) -> Recipe:
    """Return the network and the samples whose steps are timed."""
    base = read_manifest(arguments.base)
    recipe = recipe_of(Wish("timed", "site", base.organs, (3.0, 4.0, 4.0), batch=arguments.batch), base)
    if not arguments.full:
        return recipe
    grid = base.preprocessing.model_copy(update={"pixel_mm": 1.0, "slice_mm": 3.0, "context": (-1, 0, 1)})
    # The published network on crops of the published size.
    variation = Variation(crop=arguments.crop, slices=arguments.batch or 2)
    return replace(recipe, variant=Variant(), preprocessing=grid, variation=variation)


def time_it(arguments: argparse.Namespace) -> list[Timing]:
    """Print the seconds of a step as a table."""
    recipe = recipe_to_time(arguments)
    patients = list_patients(arguments.data, ("target",))[: arguments.cases]
    cases = [prepare(case.load(), recipe.organs, recipe.preprocessing) for case in patients]
    with TemporaryDirectory() as cache:
        timings = time_steps(recipe, cases, Path(cache), rounds=arguments.rounds, steps=arguments.steps)
    what = "ResNet-101" if arguments.full else "small network"
    samples = f"{getattr(recipe.variation, 'slices', 0)} crops of {recipe.variation.crop}"
    print(f"\n{what}, {samples}, {torch.get_num_threads()} threads")
    print("| way | processor s a step | on the wall | share | ideal share | share / ideal |\n|---|---|---|---|---|---|")
    for one in timings:
        shares = f"{one.share:.3f} | {one.ideal:.3f} | {one.share / one.ideal:.2f}"
        print(f"| {one.way} | {one.processor_median:.3f} | {one.median:.3f} | {shares} |")
    return timings


def seconds_of_features(one: Experiment, cases: Sequence[Prepared]) -> float:
    """Return how many processor seconds the features of a case take to make."""
    network = new_segmenter(one.recipe.variant, one.recipe.organs, 1, one.base)
    with TemporaryDirectory() as cache:
        began = process_time()
        lessons_of("kept features", one.recipe, network, cases, cache=Path(cache), settings=VIEWS)
        return (process_time() - began) / len(cases)


def compare(arguments: argparse.Namespace) -> None:
    """Print how soon each way is as good."""
    one = experiment(
        arguments.data, arguments.base, arguments.out, patients=arguments.patients, judged=arguments.judged
    )
    curves = {way: curve_of(way, one) for way in (*reversed(WAYS), NOTHING)}
    timings = {timing.way: timing.processor_median for timing in time_it(arguments)}
    making_s = seconds_of_features(one, one.prepared(one.learn[:2])) * len(one.learn)
    base = curves["all places"][0]
    wanted = base + GAIN_SHARE * (max(curves["all places"].values()) - base)
    whole_s = max(curves[NOTHING]) * timings["all places"]
    print(f"\nmean DSC of the base {base:.4f}; wanted {wanted:.4f}: {GAIN_SHARE:.0%} of the gain of all places")
    print("| way | best DSC | first as good at step | processor s | of training from nothing |\n|---|---|---|---|---|")
    for way, curve in curves.items():
        step = first_step(curve, wanted)
        each_s = timings["all places"] if way == NOTHING else next(s for name, s in timings.items() if name == way)
        more_s = making_s if way == "kept features" else 0.0
        took = "" if step is None else f"{step * each_s + more_s:.0f}"
        share = "" if step is None else f"{(step * each_s + more_s) / whole_s:.3f}"
        print(f"| {way} | {max(curve.values()):.4f} | {'never' if step is None else step} | {took} | {share} |")
    print(
        f"features of {len(one.learn)} patients: {making_s:.0f} processor s, counted above; from nothing: {whole_s:.0f}"
    )


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["steps", "accuracy"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path, default=shipped_bundle("starter"))
    parser.add_argument("--out", type=Path, default=Path("adaptation-costs"))
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--cases", type=int, default=6, help="To time steps with.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--crop", type=int, default=417)
    parser.add_argument("--patients", type=int, default=40, help="To learn from.")
    parser.add_argument("--judged", type=int, default=8, help="Test patients to look at.")
    arguments = parser.parse_args()
    (time_it if arguments.what == "steps" else compare)(arguments)


if __name__ == "__main__":
    main()
