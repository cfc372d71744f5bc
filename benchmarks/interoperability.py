"""Which implementations that no one here wrote understand the node, and it them: all tried for real on loopback.

    python -m benchmarks.interoperability [--only DCMTK ...] [--write docs/conformance.md]

Runs a node and each implementation, asks every question of `tests/support/foreign/encounter.py`, in the clear and over
TLS with those that speak it, and prints the table;
with `--write` it is written where the document has its place. Ends with 1 if anything failed.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.marked import write_between
from tests.support.foreign.encounter import (
    IMPLEMENTATIONS,
    QUESTIONS,
    SECURE_QUESTIONS,
    SPEAK_TLS,
    Meeting,
    Outcome,
    Question,
    meetings,
)
from tests.support.programs import path_of_others
from tests.support.tiny import write_tiny_bundle

BEGIN, END = "<!-- interoperability -->", "<!-- end -->"


def run(meeting: Meeting, questions: Mapping[str, Question]) -> dict[str, Outcome]:
    """Ask one implementation."""
    outcomes = {}
    for name, question in questions.items():
        outcomes[name] = outcome = question(meeting)
        print(f"{meeting.foreign.version}: {name}: {outcome.words}", file=sys.stderr)
        if not outcome.ok:
            print(outcome.heard[-2000:], file=sys.stderr)
    return outcomes


def table(found: Mapping[str, Mapping[str, Outcome]]) -> str:
    """Return the Markdown of what came out: a column for each implementation, a row for each question."""
    rows = [("", *found)]
    for name in (*QUESTIONS, *SECURE_QUESTIONS):
        words = [outcomes[name].words if name in outcomes else "not tried" for outcomes in found.values()]
        rows += [(name, *words)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def main() -> None:
    """Run the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=IMPLEMENTATIONS, default=list(IMPLEMENTATIONS))
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    os.environ["PATH"] = path_of_others()
    with tempfile.TemporaryDirectory() as folder:
        write_tiny_bundle(Path(folder) / "bundles" / "tiny")
        bundles = Path(folder) / "bundles"
        with meetings(Path(folder) / "clear", bundles, options.only) as all_of_them:
            found = {meeting.foreign.version: run(meeting, QUESTIONS) for meeting in all_of_them}
        speaking = [title for title in options.only if title in SPEAK_TLS]
        with meetings(Path(folder) / "tls", bundles, speaking, secure=True) as secured:
            for meeting in secured:
                found[meeting.foreign.version] |= run(meeting, SECURE_QUESTIONS)
    text = table(found)
    print(text)
    if options.write:
        write_between(options.write, BEGIN, END, text)
    sys.exit(any(not outcome.ok for outcomes in found.values() for outcome in outcomes.values()))


if __name__ == "__main__":
    main()
