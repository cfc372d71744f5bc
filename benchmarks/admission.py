"""The prior that admission ships, and what admission lets pass and keeps out, measured on patients and phantoms.

python -m benchmarks.admission prior [--write]     # adaptation/prior.py, from data beside the checkout
python -m benchmarks.admission measure             # the tables of docs/adaptation.md
"""

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from adaptation.admission import Evidence, judge_case
from adaptation.admission_limits import AdmissionLimits
from adaptation.labelled_ct import Case, LabelledCt
from adaptation.limits import SMALL_ORGANS
from adaptation.measures import Measures, measure
from adaptation.openkbp import list_patients
from adaptation.phantoms import list_phantoms
from adaptation.population import population_of, usable
from segmentation.structures import ORGANS
from segmentation.volume import Volume
from tests.support.poison import POISONS, Bench, poisoned
from tests.support.two_observers import SCANS, load

PATIENTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "openkbp"
LEARNT_FROM, JUDGED = ("source", "other"), "target"
PHANTOMS = range(20)
PROCESSES = 2
FAR = 5.0  # times the usual distance from the median: a wrong contour, of which OpenKBP has some
FARTHEST, SDS_THERE = 99, 2.8  # the spread is as wide as its 99 % farthest ask for, where the tails are heavy
OTHER_CENTRES = 1.15  # of the spread: centres that are not in the data draw and scan otherwise
FROM_PHANTOMS = 2.0  # likewise of organs that only phantoms show
LEAST_SD: Mapping[str, float] = {
    **dict.fromkeys(("volume", "length", "ratio"), 0.15),
    "HU": 10.0,
    "off midline": 2.5,
    "left of": 4.0,
    "back of": 4.0,
    "head of": 4.0,
}
"""Measure -> least spread: slice thickness, kernel and posture differ more between centres than within one."""
LEAST_SD_OF_SMALL: Mapping[str, float] = {**LEAST_SD, "length": 0.35, "volume": 0.3, "HU": 40.0}
LEAST_SD_OF_CORD: Mapping[str, float] = {**LEAST_SD, "length": 0.35, "volume": 0.5, "back of": 25.0, "head of": 60.0}
"""Where the cord ends below is the scan's matter, and the plan's."""
LEAST_SD_OF_PHANTOMS: Mapping[str, float] = {
    "volume": 0.5,
    "length": 0.4,
    "ratio": 0.35,
    "HU": 20.0,
    "off midline": 6.0,
    **dict.fromkeys(("left of", "back of", "head of"), 8.0),
}
"""Of what only phantoms show: that they are built to an atlas says little of how physicians draw."""
Key = tuple[str, str]
Values = dict[Key, list[float]]


def kind_of(name: str) -> str:
    """Return what a measure is, without the organ that it is seen from."""
    kind, found, _ = name.partition(" of ")
    return f"{kind} of" if found else name


def measures_of(case: Case) -> dict[str, Measures]:
    """Return the measures of a case."""
    return measure(case.load())


def gather(found: Iterable[Mapping[str, Measures]], *, but: tuple[str, ...] = ()) -> Values:
    """Return every value of the measures that a prior has, by organ and measure."""
    values: Values = {}
    for organs in found:
        for organ, measures in organs.items():
            for name, value in usable(measures).items():
                if kind_of(name) in LEAST_SD and name not in but:
                    values.setdefault((organ, name), []).append(value)
    return values


def of_two_observers() -> list[dict[str, Measures]]:
    """Return the measures of masks that have no CT: those of HU and of the body say nothing."""
    found = []
    for folder in SCANS:
        scan = load(folder)
        volume = Volume(np.zeros(scan.grid.shape, dtype=np.int16), scan.grid)
        found += [
            measure(LabelledCt(volume, {organ: mask.full() for organ, mask in masks.items()})) for masks in scan.masks
        ]
    return found


def norm_of(key: Key, values: list[float], widened: float, least: float) -> tuple[float, float]:
    """Return mean and standard deviation of the values without those that are far off."""
    array = np.array(values)
    distance = np.abs(array - np.median(array))
    kept = array[distance <= FAR * 1.4826 * max(float(np.median(distance)), 1e-6)]
    far = float(np.percentile(np.abs(kept - kept.mean()), FARTHEST)) / SDS_THERE
    usual = LEAST_SD_OF_SMALL if key[0] in SMALL_ORGANS else LEAST_SD_OF_CORD if key[0] == "SpinalCord" else LEAST_SD
    least = max(least, usual[kind_of(key[1])])
    return float(kept.mean()), max(least, widened * max(float(kept.std()), far))


def make_prior() -> str:
    """Return the source of `adaptation/prior.py`."""
    with Pool(PROCESSES) as pool:
        patients = gather(pool.imap(measures_of, list_patients(PATIENTS, LEARNT_FROM), chunksize=4))
        phantoms = gather(pool.imap(measures_of, list_phantoms(PHANTOMS), chunksize=2))
    masks = gather(of_two_observers(), but=("HU", "off midline"))
    lines = []
    for organ in ORGANS:
        for key in (key for key in {**phantoms, **masks, **patients} if key[0] == organ.name):
            if seen := [*patients.get(key, []), *masks.get(key, [])]:
                mean, sd = norm_of(key, seen, OTHER_CENTRES, 0.0)
            else:
                mean, sd = norm_of(key, phantoms[key], FROM_PHANTOMS, LEAST_SD_OF_PHANTOMS[kind_of(key[1])])
            made_of = {"P": patients.get(key), "M": masks.get(key)} if seen else {"F": phantoms.get(key)}
            where = ", ".join(f"{letter} {len(values)}" for letter, values in made_of.items() if values)
            lines.append(f'    ("{key[0]}", "{key[1]}"): ({mean:.3g}, {sd:.2g}),  # {where}')
    return HEAD + "\n".join(lines) + "\n}\n"


HEAD = '''"""What organs usually measure, before a site has admitted cases of its own (pure).

Written by `python -m benchmarks.admission prior --write`, which says how. Behind each line stands what it was made of
and of how many: P patients of OpenKBP (Babier et al., Med Phys 48:5549, 2021), groups `source` and `other`; M masks of
two observers (Nikolov et al., arXiv 1809.04430), which have no HU; F phantoms of this project, widened. The measures
are those of `adaptation/measures.py`.
"""

from collections.abc import Mapping

PRIOR: Mapping[tuple[str, str], tuple[float, float]] = {
    # Organ and measure -> mean, standard deviation.
'''


@dataclass(frozen=True)
class Judged:
    """What admission said of one patient: unchanged, and whether it caught each poison."""

    name: str
    reasons: tuple[str, ...]
    caught: dict[str, bool]


def judge_all(number: int) -> Judged:
    """Judge a patient of the group that the prior has not seen, and each poison of the set."""
    patients = list_patients(PATIENTS, (JUDGED,))
    case = patients[number]
    bench = Bench(case.load(), patients[(number + 1) % len(patients)].load(), np.random.default_rng(number))
    made = {name: changed for name in POISONS if (changed := poisoned(name, bench)) is not None}
    return Judged(
        case.name, reasons_of(bench.case), {name: bool(reasons_of(changed)) for name, changed in made.items()}
    )


def reasons_of(case: LabelledCt) -> tuple[str, ...]:
    """Return what the shipped admission says, without a contour of ours and without other cases."""
    limits = AdmissionLimits()
    evidence = Evidence("patient", "ct", "digest", measure(case))
    return judge_case(evidence, (), population_of((), limits.prior_patients), limits)


def tables(judged: list[Judged]) -> str:
    """Return what was admitted, and what was caught of the poisons of what was admitted."""
    good = [one for one in judged if not one.reasons]
    lines = [f"{len(good)} of {len(judged)} patients admitted ({len(good) / len(judged):.0%}). Set aside:", ""]
    lines += [f"- {one.name}: {'; '.join(one.reasons)}" for one in judged if one.reasons]
    lines += ["", "| what is wrong | kept out |", "|---|---|"]
    for name in POISONS:
        of = [one.caught[name] for one in good if name in one.caught]
        lines.append(f"| {name} | {sum(of)} of {len(of)} |")
    return "\n".join(lines)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("prior", "measure"))
    parser.add_argument("--write", action="store_true", help="write adaptation/prior.py")
    arguments = parser.parse_args()
    if arguments.what == "measure":
        numbers = range(len(list_patients(PATIENTS, (JUDGED,))))
        with Pool(PROCESSES) as pool:
            print(tables(list(pool.imap(judge_all, numbers))))
    elif arguments.write:
        Path("adaptation/prior.py").write_text(make_prior(), encoding="utf-8")
    else:
        print(make_prior())


if __name__ == "__main__":
    main()
