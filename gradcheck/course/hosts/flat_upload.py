"""Exercises that were uploaded one by one, without their folders, as browsers hand in files."""

from __future__ import annotations

from pathlib import Path

from gradcheck.catalog import all_exercises
from gradcheck.errors import GradcheckError
from gradcheck.grading import desk_record
from gradcheck.grading.load import MAX_BYTES
from gradcheck.grading.submissions.archive import ENDINGS
from gradcheck.grading.submissions.folder import Refused, opened, read_folder
from gradcheck.grading.submissions.layout import WHOLE, Findings, printable

_MOST_TOLD = 5


def arranged(folder: Path, to: Path) -> tuple[Path, list[str]]:
    """Where the exercises of `folder` lie, and what to tell the learner: the folder itself, or where exercises lie
    directly in it, such as relu.py, a copy in `to` that has them in exercises/NN_unit/. No link is followed.

    Raises GradcheckError where there is no such folder.
    """
    try:
        if read_folder(folder, Findings()):
            return folder, []
        return _copied(folder, to)
    except OSError as error:
        raise GradcheckError(
            f"the submission in {folder} cannot be opened: {error.strerror or error}; --submission names its folder"
        ) from None


def _copied(folder: Path, to: Path) -> tuple[Path, list[str]]:
    told: list[str] = []
    with opened(folder) as top:
        names = sorted(top.files())
        known = {f"{name}.py": exercise.path for name, exercise in all_exercises().items()}
        if not known.keys() & set(names):
            packed = any(name.lower().endswith(ENDINGS) for name in names)
            return folder, [] if packed else [f"hand in the folder {WHOLE}/, in a zip, or its files, such as relu.py"]
        wanted = {name: (path, MAX_BYTES) for name, path in known.items()}
        wanted[desk_record.FILE] = desk_record.FILE, desk_record.MAX_BYTES
        for name in names:
            if name not in wanted:
                continue
            path, most = wanted[name]
            try:
                content = top.read(name, most)
            except Refused as reason:
                told.append(printable(str(reason)))
                continue
            if content is not None:
                place = to / WHOLE / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
    others = [name for name in names if name.endswith(".py") and name not in wanted]
    if others:
        listed = ", ".join(others[:_MOST_TOLD]) + (", …" if len(others) > _MOST_TOLD else "")
        told.append(printable(f"no exercise is called so, and so it was not read: {listed}"))
    (to / WHOLE).mkdir(parents=True, exist_ok=True)
    return to, told
