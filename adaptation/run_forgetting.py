"""The records of a run from which a patient goes: plan, steps and dossier keep their figures and lose the pseudonym.

A case that is forgotten is named `forgotten case` wherever it was named, and loses the digests of its CT and contours.
`RUN/forgotten.json` says that it was there, in which part, and when it was forgotten; so do both dossiers. A kill at
any moment is made good by forgetting once more: the plan, which says who was in the run, is rewritten last.
"""

import json
import re
from dataclasses import replace
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from adaptation.errors import AdaptationError
from adaptation.run_plan import Plan, PlannedCase, encode_plan
from adaptation.runs import PLAN, Run
from segmentation.durable import write_whole

FORGOTTEN = "forgotten"  # the record beside the steps
MARK = "forgotten case"
"""In place of the name of a case and of the pseudonym of its patient."""
SUFFIXES = (".json", ".jsonl", ".html")
NOTE = re.compile(r"<p class=\"banner\" id=\"forgotten\">.*?</p>")


def forget_in_run(run: Run, patient: str, at: datetime) -> bool:
    """Have a run's records name a patient no more; return whether they did.

    Args:
        run: that was planned or has ended.
        patient: pseudonym.
        at: UTC.

    Raises:
        AdaptationError: a record cannot be read.
        OSError: the disk refuses.
    """
    plan = run.plan() if run.has(PLAN) else None
    if plan is not None and patient in plan.patients:
        _keep_record(run, plan, patient, at)
        _blank_dossier(run, patient)
        note_forgotten(run)
    for remnant in run.folder.glob("*.part"):  # somebody was killed at a record
        remnant.unlink(missing_ok=True)
    named = [path for path in _records(run) if _pattern(patient).search(path.read_text())]
    for path in sorted(named, key=lambda path: path.stem == PLAN):
        text = encode_plan(_without(plan, patient)).decode() if plan and path.stem == PLAN else path.read_text()
        write_whole(path, _pattern(patient).sub(MARK, text).encode())
    return bool(named)


def note_forgotten(run: Run) -> None:
    """Have the dossiers of a run say what was forgotten since, if anything was; they keep all else.

    Raises:
        AdaptationError: a record cannot be read.
        OSError: the disk refuses.
    """
    if not run.has(FORGOTTEN):
        return
    record = run.read(FORGOTTEN)
    if run.has("dossier"):
        write_whole(_dossier(run, "json"), _encoded(run.read("dossier") | {FORGOTTEN: record}))
    page = _dossier(run, "html")
    if page.is_file():
        note = f'<p class="banner" id="forgotten">{escape(_sentence(record))}</p>'
        rest = NOTE.sub("", page.read_text())
        write_whole(page, rest.replace("</h1>", f"</h1>{note}", 1).encode())


def _keep_record(run: Run, plan: Plan, patient: str, at: datetime) -> None:
    """Write which cases of the run go; one that is written already, before a kill, keeps its time."""
    cases = list(run.read(FORGOTTEN)["cases"]) if run.has(FORGOTTEN) else []
    known = {(each["part"], each["number"]) for each in cases}
    cases += [
        {"part": part.value, "number": number, "at": at.isoformat()}
        for part, planned in plan.cases.items()
        for number, case in enumerate(planned, start=1)
        if case.patient == patient and (part.value, number) not in known
    ]
    write_whole(run.folder / f"{FORGOTTEN}.json", _encoded({"cases": cases, "text": _text(cases)}))


def _text(cases: list[dict[str, Any]]) -> str:
    parts = ", ".join(f"one of the part {each['part']} on {each['at'][:10]}" for each in cases)
    return f"of this run's cases were forgotten since: {parts}; what was measured before stands as it was measured"


def _sentence(record: dict[str, Any]) -> str:
    text = str(record["text"])
    return f"{text[:1].upper()}{text[1:]}. No name of theirs is left in this record."


def _blank_dossier(run: Run, patient: str) -> None:
    """Take from the dossier's list of cases what leads from a CT to a case."""
    if not run.has("dossier"):
        return
    dossier = run.read("dossier")
    try:
        for case in dossier["modification_protocol"]["data"]["cases"]:
            if _pattern(patient).fullmatch(case["name"]):
                case.update(name=MARK, ct_digest="", scanner="")
    except (KeyError, TypeError, AttributeError) as error:
        raise AdaptationError(f"the dossier of run {run.name} is not what a run writes") from error
    write_whole(_dossier(run, "json"), _encoded(dossier))


def _without(plan: Plan, patient: str) -> Plan:
    """Return a plan whose cases of a patient have neither name nor digest; their numbers and weights stay."""

    def blank(case: PlannedCase) -> PlannedCase:
        return replace(case, name=MARK, patient=MARK, content="") if case.patient == patient else case

    return replace(plan, cases={part: tuple(map(blank, cases)) for part, cases in plan.cases.items()})


def _records(run: Run) -> list[Path]:
    return [path for path in run.folder.iterdir() if path.is_file() and path.suffix in SUFFIXES]


def _pattern(patient: str) -> re.Pattern[str]:
    """Return what a pseudonym, or the name of a case with it, looks like in a text."""
    return re.compile(rf"(?<![0-9A-Za-z]){re.escape(patient)}(-[0-9]+)?(?![0-9A-Za-z])")


def _dossier(run: Run, suffix: str) -> Path:
    return run.folder / f"dossier.{suffix}"


def _encoded(values: dict[str, Any]) -> bytes:
    return json.dumps(values, indent=1, allow_nan=False).encode()
