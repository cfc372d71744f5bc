"""`adapt report`: what physicians approved of our contours in a month, as a page."""

from pathlib import Path

from adaptation.cases import CaseStore
from adaptation.month_page import month_page
from adaptation.month_report import MonthReport, report_of_month
from dicomnode.config import Configuration
from dicomnode.errors import NodeError
from dicomnode.node import cases_folder
from segmentation.durable import write_whole


def report_month(configuration: Configuration, month: str, file: Path | None) -> MonthReport:
    """Return the report of a month, and write its page.

    Args:
        configuration: of the node.
        month: as `2026-03`.
        file: to write; None for no page.

    Raises:
        AdaptationError: what is given is no month, or a case cannot be read.
        NodeError: the file cannot be written.
    """
    records = CaseStore(cases_folder(configuration.node.data_dir)).records()
    report = report_of_month(records, month, configuration.watching.limits)
    if file is not None:
        try:
            write_whole(file, month_page(report).encode())
        except OSError as error:
            raise NodeError(f"{file} cannot be written: {error.strerror}") from error
    return report
