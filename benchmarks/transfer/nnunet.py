"""A second peer, nnU-Net 2d: the same patients and the same processor time, but all else as nnU-Net has it.

    pip install --target NNUNET --no-deps -r benchmarks/transfer/nnunet.txt
    PYTHONPATH=.:NNUNET python -m benchmarks.transfer.nnunet --data OPENKBP --out RESULTS

nnU-Net takes the fingerprint of the cases, plans, preprocesses, loads, augments and computes its loss. Only the loop
is ours: its learning rate ends when the ResNet-SPP's processor time is over, counted with loading and augmentation.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from adaptation.labelled_ct import Case
from adaptation.metrics import dice
from adaptation.recipes import Recipe
from adaptation.score_file import DEFINITION
from benchmarks.transfer.cells import NNUNET, Cell
from benchmarks.transfer.judge import Dices, InShort, dices_of
from benchmarks.transfer.learn import PROGRESS, RESULT, Bench, Progress, is_done
from benchmarks.transfer.nnunet_cases import spacing_of, write_cases
from benchmarks.transfer.results import mean
from benchmarks.transfer.worlds import centres_of, recipe_of
from segmentation.durable import written_whole
from segmentation.organ_mask import OrganMask
from segmentation.postprocess import draw_organs
from segmentation.preprocess import NetworkGrid
from segmentation.volume import Volume

BATCH = 12  # slices, as the ResNet-SPP has; the plans' 200 and 300 would be 30 steps in the time


def prepared(cell: Cell, bench: Bench, recipe: Recipe) -> Any:
    """Return nnU-Net's trainer of a cell, its cases planned and preprocessed, on the CPU."""
    from batchgenerators.utilities.file_and_folder_operations import load_json  # noqa: PLC0415
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api  # noqa: PLC0415
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor  # noqa: PLC0415

    from benchmarks.transfer.nnunet_trainer import TimedTrainer  # noqa: PLC0415

    number = cell.cases or len(bench.centres.source)
    name = f"Dataset{number:03d}_{cell.model}"
    raw, ready = (Path(os.environ[variable]) / name for variable in ("nnUNet_raw", "nnUNet_preprocessed"))
    if not (ready / "done").exists():
        cases = bench.centres.source if cell.model == "S" else bench.centres.target[: cell.cases]
        write_cases(cases, recipe.organs, raw)
        api.extract_fingerprint_dataset(number, num_processes=1, verbose=False)
        api.plan_experiment_dataset(number)
        DefaultPreprocessor(verbose=False).run(number, "2d", "nnUNetPlans", num_processes=1)
        (ready / "done").touch()
    plans = load_json(str(ready / "nnUNetPlans.json"))
    plans["configurations"]["2d"]["batch_size"] = BATCH
    os.environ |= {"nnUNet_n_proc_DA": "0"}  # augment in this process, so that it is counted
    trainer = TimedTrainer(plans, "2d", "all", load_json(str(ready / "dataset.json")), device=torch.device("cpu"))
    trainer.initialize()
    return trainer


def predictor_of(trainer: Any) -> Any:
    """Return nnU-Net's predictor of what a trainer holds; without mirroring, as it was trained."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor  # noqa: PLC0415

    trainer.set_deep_supervision_enabled(False)
    network = InShort(trainer.network)
    predictor = nnUNetPredictor(use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
    predictor.manual_initialization(
        network,
        trainer.plans_manager,
        trainer.configuration_manager,
        [network.state_dict()],
        trainer.dataset_json,
        type(trainer).__name__,
        None,
    )
    return predictor


def drawn(probabilities: NDArray[np.floating], volume: Volume, recipe: Recipe) -> dict[str, OrganMask]:
    """Return organs after the node's post-processing, which all others are judged by too.

    Args:
        probabilities: (organs, slices, rows, columns), on the CT's own grid.
        volume: the CT, in patient axes, its pixels square.
        recipe: whose organs these are, and how they are post-processed.
    """
    shape = volume.grid.shape
    own = recipe.preprocessing.model_copy(
        update={"pixel_mm": volume.grid.row_spacing_mm, "slice_mm": volume.grid.slice_spacing_mm}
    )
    grid = NetworkGrid.over(volume.grid, (slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2])), own)
    by_organ = dict(zip(recipe.organs, probabilities.astype(np.float16), strict=True))
    return draw_organs(by_organ, grid, recipe.postprocessing, shape, volume.grid.voxel_cm3)


def judged(predictor: Any, recipe: Recipe, cases: Sequence[Case]) -> tuple[Dices, Dices, float]:
    """Return Dice after the node's post-processing, Dice of nnU-Net's own labels, and CPU seconds a slice."""
    dices: Dices = {}
    own: Dices = {}
    seconds, slices = 0.0, 0
    for case in cases:
        labelled = case.load()
        volume = labelled.volume
        started = time.process_time()
        labels, probabilities = predictor.predict_single_npy_array(
            volume.hu[None].astype(np.float32),
            {"spacing": list(spacing_of(volume))},
            save_or_return_probabilities=True,
        )
        found = drawn(probabilities[1 : len(recipe.organs) + 1], volume, recipe)
        seconds += time.process_time() - started
        slices += volume.grid.shape[0]
        dices[case.name] = dices_of(found, labelled, recipe.organs)
        own[case.name] = {
            organ: dice(labels == recipe.organs.index(organ) + 1, labelled.masks[organ]) for organ in dices[case.name]
        }
    return dices, own, seconds / slices


def run(cell: Cell, bench: Bench) -> None:
    """Train a cell, if its weights are not there, judge it, and write its result."""
    recipe = recipe_of(cell)
    bench.of(cell).mkdir(parents=True, exist_ok=True)
    progress = Progress(bench.of(cell) / PROGRESS)
    trainer = prepared(cell, bench, recipe)
    if not trainer.is_trained():
        budget = json.loads((bench.of(cell.ours) / RESULT).read_text(encoding="utf-8"))["cpu_seconds"]
        trainer.train_for(budget, progress, bench.say)
    predictor = predictor_of(trainer)
    away, own, seconds = judged(predictor, recipe, bench.centres.test)
    home = judged(predictor, recipe, bench.centres.at_home)[0] if cell.model == "S" else {}
    result = {
        **asdict(cell),
        "definition": DEFINITION,
        "steps": progress.steps,
        "cpu_seconds": progress.cpu_seconds,
        "curve": {},
        "dice": away,
        "dice_of_own_labels": own,
        "dice_at_home": home,
        "cpu_seconds_a_slice": seconds,
        "parameters": sum(p.numel() for p in trainer.network.parameters()),
    }
    with written_whole(bench.of(cell) / RESULT) as file:
        file.write(json.dumps(result, indent=1).encode())
    bench.say(f"{cell.name}: {progress.steps} steps, Dice {mean(away):.3f}, of its own labels {mean(own):.3f}")


def main() -> None:
    """Make the cells that have no result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cells", default="", help="only those whose names begin so")
    options = parser.parse_args()
    torch.set_num_threads(1)
    # nnU-Net reads these when it is imported; planning sets as many threads as the last one says.
    for folder in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{folder}"] = str(options.out / "nnunet" / folder)
    os.environ |= {"nnUNet_def_n_proc": "1", "nnUNet_n_proc_DA": "1"}
    bench = Bench(options.out, centres_of("real", options.data), lambda text: print(text, flush=True))
    for cell in NNUNET:
        if cell.name.startswith(options.cells) and not is_done(options.out, cell):
            torch.manual_seed(recipe_of(cell).training.seed)
            np.random.seed(recipe_of(cell).training.seed)  # noqa: NPY002  # nnU-Net draws from it
            run(cell, bench)


if __name__ == "__main__":
    main()
