"""The records of a run from which a patient or a case goes: all keep their figures and lose the pseudonym.

A case that is forgotten is named `forgotten case` wherever it was named, and loses the digests of its CT and contours.
`RUN/forgotten.json` says that it was there, in which part, and when it was forgotten; so do both dossiers. A kill at
any moment is made good by forgetting once more: the plan, which says who was in the run, is rewritten last.
"""

import json
import re
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Gone:
    """Whom or what nothing may name any more.

    Args:
        patient: pseudonym.
        revisions: numbers of the patient's cases that go; None for the patient with all of them.
    """

    patient: str
    revisions: frozenset[int] | None = None

    def holds(self, name: str) -> bool:
        """Return whether this is the name of a case that goes, or of the patient who does."""
        return self.pattern.fullmatch(name) is not None

    @property
    def pattern(self) -> re.Pattern[str]:
        """What these names look like in a text."""
        numbers = "(-[0-9]+)?" if self.revisions is None else f"-({'|'.join(map(str, sorted(self.revisions)))})"
        return re.compile(rf"(?<![0-9A-Za-z]){re.escape(self.patient)}{numbers}(?![0-9A-Za-z])")


def forget_in_run(run: Run, gone: Gone, at: datetime) -> bool:
    """Have a run's records name a patient, or cases of one, no more; return whether they did.

    Args:
        run: that was planned or has ended.
        gone: what goes.
        at: UTC.

    Raises:
        AdaptationError: a record cannot be read.
        OSError: the disk refuses.
    """
    plan = run.plan() if run.has(PLAN) else None
    if plan is not None and any(map(gone.holds, plan.names)):
        _keep_record(run, plan, gone, at)
        _blank_dossier(run, gone)
        note_forgotten(run)
    for remnant in run.folder.glob("*.part"):  # somebody was killed at a record
        remnant.unlink(missing_ok=True)
    named = [path for path in _records(run) if gone.pattern.search(path.read_text())]
    for path in sorted(named, key=lambda path: path.stem == PLAN):
        text = encode_plan(_without(plan, gone)).decode() if plan and path.stem == PLAN else path.read_text()
        write_whole(path, gone.pattern.sub(MARK, text).encode())
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


def _keep_record(run: Run, plan: Plan, gone: Gone, at: datetime) -> None:
    """Write which cases of the run go; one that is written already, before a kill, keeps its time."""
    cases = list(run.read(FORGOTTEN)["cases"]) if run.has(FORGOTTEN) else []
    known = {(each["part"], each["number"]) for each in cases}
    cases += [
        {"part": part.value, "number": number, "at": at.isoformat()}
        for part, planned in plan.cases.items()
        for number, case in enumerate(planned, start=1)
        if gone.holds(case.name) and (part.value, number) not in known
    ]
    write_whole(run.folder / f"{FORGOTTEN}.json", _encoded({"cases": cases, "text": _text(cases)}))


def _text(cases: list[dict[str, Any]]) -> str:
    parts = ", ".join(f"one of the part {each['part']} on {each['at'][:10]}" for each in cases)
    return f"of this run's cases were forgotten since: {parts}; what was measured before stands as it was measured"


def _sentence(record: dict[str, Any]) -> str:
    text = str(record["text"])
    return f"{text[:1].upper()}{text[1:]}. No name of theirs is left in this record."


def _blank_dossier(run: Run, gone: Gone) -> None:
    """Take from the dossier's list of cases what leads from a CT to a case."""
    if not run.has("dossier"):
        return
    dossier = run.read("dossier")
    try:
        for case in dossier["modification_protocol"]["data"]["cases"]:
            if gone.holds(case["name"]):
                case.update(name=MARK, ct_digest="", scanner="")
    except (KeyError, TypeError, AttributeError) as error:
        raise AdaptationError(f"the dossier of run {run.name} is not what a run writes") from error
    write_whole(_dossier(run, "json"), _encoded(dossier))


def _without(plan: Plan, gone: Gone) -> Plan:
    """Return a plan whose cases that go have neither name nor digest; their numbers and weights stay."""

    def blank(case: PlannedCase) -> PlannedCase:
        return replace(case, name=MARK, patient=MARK, content="") if gone.holds(case.name) else case

    return replace(plan, cases={part: tuple(map(blank, cases)) for part, cases in plan.cases.items()})


def _records(run: Run) -> list[Path]:
    return [path for path in run.folder.iterdir() if path.is_file() and path.suffix in SUFFIXES]


def _dossier(run: Run, suffix: str) -> Path:
    return run.folder / f"dossier.{suffix}"


def _encoded(values: dict[str, Any]) -> bytes:
    return json.dumps(values, indent=1, allow_nan=False).encode()
