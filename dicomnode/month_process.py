"""The process that draws a month's report on approved contours: CASES MONTH FILE LIMITS; the daemon draws nothing."""

import json
import sys
from pathlib import Path

from adaptation.cases import CaseStore
from adaptation.limits import WatchLimits
from adaptation.month_page import month_page
from adaptation.month_report import report_of_month
from segmentation.durable import write_whole


def main(cases: Path, month: str, file: Path, limits: WatchLimits) -> None:
    """Write the report of a month."""
    write_whole(file, month_page(report_of_month(CaseStore(cases).records(), month, limits)).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), WatchLimits(**json.loads(sys.argv[4])))
