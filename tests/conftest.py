"""What all tests share: a missing real peer is a failure in CI, and named in the summary elsewhere."""

import os
from collections.abc import Generator
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter

from tests.support.programs import path_of_others

PEER_IS_MISSING = "a real DICOM program is missing"

os.environ["PATH"] = path_of_others()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Make a test that needs a real peer fail in CI where it would be skipped elsewhere."""
    report = yield
    if report.skipped and item.get_closest_marker("peer") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if os.environ.get("CI") == "true":
            report.outcome = "failed"
            report.longrepr = f"{PEER_IS_MISSING}, and CI must have it: {reason}"
        else:
            report.sections.append((PEER_IS_MISSING, reason))
    return report


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Name the tests that were skipped for want of a real peer."""
    missing = [
        (report.nodeid, content)
        for report in terminalreporter.stats.get("skipped", [])
        for title, content in report.sections
        if title == PEER_IS_MISSING
    ]
    if missing:
        terminalreporter.section(f"{len(missing)} tests were skipped: {PEER_IS_MISSING}")
        for nodeid, reason in missing:
            terminalreporter.line(f"{nodeid}: {reason}")
