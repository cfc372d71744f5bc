"""What is wrong with a structure set, without a network or a ledger."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dicomnode.commands.ct_folder import find_ct_series
from dicomnode.errors import NodeError, NotFound
from segmentation.ct_header import read_headers
from segmentation.lint import Finding, Severity, lint_structure_set

SHOWN = 5  # findings of a rule on the terminal; a bad writer has thousands of one kind


def lint(path: Path, ct_dir: Path | None = None, *, tps: str = "", series: str = "") -> list[Finding]:
    """Return what is wrong with a structure set, the worst first.

    Args:
        path: of the file.
        ct_dir: a folder with the CT that it was drawn on; without it the rules about the CT are left out.
        tps: a system whose documented quirks are told.
        series: Series Instance UID, where the folder has several.

    Raises:
        NodeError: if a file cannot be read.
        SegmentationError: if it is no structure set, or the CT is none.
    """
    if not path.is_file():
        raise NotFound(f"{path} is no file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NodeError(f"{path} cannot be read: {error.strerror}") from error
    headers = read_headers(find_ct_series(ct_dir, series)) if ct_dir is not None else []
    return lint_structure_set(content, headers, tps)


def first_of_each_rule(findings: Sequence[Finding], most: int = SHOWN) -> list[tuple[Finding, int]]:
    """Return the first findings of each rule, and with the last of them how many more there are."""
    shown: list[tuple[Finding, int]] = []
    for rule in dict.fromkeys(finding.rule for finding in findings):
        of_rule = [finding for finding in findings if finding.rule == rule]
        shown += [(finding, 0) for finding in of_rule[: most - 1]]
        shown += [(finding, len(of_rule) - most) for finding in of_rule[most - 1 : most]]
    return shown


def counts(findings: Sequence[Finding]) -> str:
    """Return how many there are of each severity, in words."""
    said = [(sum(finding.severity is severity for finding in findings), severity.value) for severity in Severity]
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in said if count) or "no finding"


def as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return the findings as JSON says them, all of them."""
    return [asdict(finding) for finding in findings]


def has_error(findings: Sequence[Finding]) -> bool:
    """Whether any finding is an error."""
    return any(finding.severity is Severity.ERROR for finding in findings)
