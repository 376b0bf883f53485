"""What `gradcheck grade` left in a folder, as the regrades that scores from CI are compared with."""

from __future__ import annotations

from pathlib import Path

from gradcheck.errors import GradcheckError
from gradcheck.gradebooks.collect.regrade import Regrade
from gradcheck.reports.stored import read_report, report_files


def regrades_in(out: Path) -> list[Regrade]:
    """Every submission of the class as it was last graded; reports of submissions that have gone since do not count.

    Raises GradcheckError where one is missing or damaged: the regrade decides, so none of it is left out silently.
    """
    found = []
    for path in report_files(out):
        report = read_report(path)
        if report.submission != path.stem:
            raise GradcheckError(f"{path} is the report of {report.submission!r}; grade again")
        found.append(Regrade.of(report))
    return found
