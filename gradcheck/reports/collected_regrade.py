"""What `gradcheck grade` left in a folder, as the regrades that scores from CI are compared with."""

from __future__ import annotations

from pathlib import Path

from gradcheck.errors import GradcheckError
from gradcheck.grading.collect.regrade import Regrade
from gradcheck.grading.submissions.naming import safe_name
from gradcheck.reports.stored import read_class, read_report


def regrades_in(out: Path) -> list[Regrade]:
    """Every submission of the class as it was last graded; reports of submissions that have gone since do not count.

    Raises GradcheckError where one is missing or damaged: the regrade decides, so none of it is left out silently.
    """
    found = []
    for row in read_class(out)["submissions"]:
        name = row["name"]
        path = out / "reports" / f"{name}.json"
        if safe_name(name) != name or not path.is_file():
            raise GradcheckError(f"{out / 'class.json'} names {name!r}, and there is no report of it; grade again")
        report = read_report(path)
        if report["submission"] != name:
            raise GradcheckError(f"{path} is the report of {report['submission']!r}; grade again")
        found.append(Regrade.of(report))
    return found
