"""Where a new exercise goes: a checkout, a free name, a unit; nothing that exists is touched."""

from __future__ import annotations

import ast
import keyword
import re
from contextlib import suppress
from pathlib import Path

from gradcheck.catalog import all_exercises, known_operators
from gradcheck.errors import GradcheckError
from gradcheck.grading.small_files import write_whole

_LONGEST_NAME, _LONGEST_TITLE = 40, 80


def checked_root(root: Path) -> Path:
    """The checkout at `root`. Raises GradcheckError where it is none."""
    if not all((root / folder).is_dir() for folder in ("gradcheck/catalog", "solutions", "exercises")):
        raise GradcheckError(
            f"{root} is not a checkout of gradcheck: an exercise is written into gradcheck/catalog/, solutions/ and "
            "exercises/. Run this where these are"
        )
    return root


def check_name(root: Path, name: str) -> None:
    """Raises GradcheckError where an exercise cannot be called that."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or len(name) > _LONGEST_NAME or keyword.iskeyword(name):
        raise GradcheckError(
            f"{name!r} cannot be an exercise's name: it names a Python file, so take small letters, digits and _ "
            f"(at most {_LONGEST_NAME}), such as soft_sign"
        )
    plain = name.replace("_", "")
    taken = {other.replace("_", ""): other for other in (*known_operators(), *all_exercises())}
    files = {path.stem.replace("_", ""): path.stem for path in (root / "gradcheck" / "catalog").glob("*")}
    if plain in taken or plain in files or name.startswith("test_"):
        other = taken.get(plain) or files.get(plain) or name
        what = "an exercise or operator" if plain in taken else "a file of the catalog" if plain in files else "a test"
        same = "" if other == name else ", for workflows write names without _"
        raise GradcheckError(f"the name {name} is taken: {other} is {what}{same}. Take another name")


def check_title(title: str) -> None:
    """Raises GradcheckError where a title would not stand in a Python file's text."""
    if not title.isprintable() or not 0 < len(title) <= _LONGEST_TITLE or re.search(r'["#\\]|^\s|[\s.]$', title):
        raise GradcheckError(
            f"--title {title[:_LONGEST_TITLE]!r}: one line of at most {_LONGEST_TITLE} characters, without quotation "
            "marks, backslashes, #, or a full stop at its end"
        )


def check_unit(root: Path, unit: str, *, new: bool) -> None:
    """Raises GradcheckError where there is no such unit, or, for a `new` one, where there is."""
    known = sorted({each.unit for each in all_exercises().values()} | _folders(root / "solutions"))
    if new:
        if not re.fullmatch(r"[0-9]{2}_[a-z][a-z0-9_]*", unit):
            raise GradcheckError(f"--unit {unit!r}: a unit is called NN_name, such as 08_beyond")
        alike = [each for each in known if each[:3] == unit[:3]]
        if alike and unit not in known:
            raise GradcheckError(f"--unit {unit}: the number is that of {alike[0]}; take the next free one")
    elif unit not in known:
        raise GradcheckError(
            f"there is no unit {unit!r}; there are: {', '.join(known)}. For a new one give --new-unit as well"
        )


def _folders(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if path.is_dir() and re.match(r"\d\d_", path.name)}


def next_order(root: Path, unit: str) -> int:
    """The place after a unit's last exercise. The records' text is read: the checkout may not be what runs."""
    last = 0
    for path in sorted((root / "gradcheck" / "catalog").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if f'"{unit}"' in text:
            last = max(last, _order_in(text))
    return last + 1


def _order_in(text: str) -> int:
    for node in ast.parse(text).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="ORDER")], value=ast.Constant(value=int(order))):
                return order
    return 0


def write_all(files: dict[Path, str]) -> None:
    """All of them or none; a file that exists is not touched. Raises GradcheckError."""
    there = [path for path in files if path.exists() or path.is_symlink()]
    if there:
        raise GradcheckError(f"{there[0]} exists already, so nothing is written. Delete it, or take another name")
    made: list[Path] = []
    try:
        for path, text in files.items():
            made += [each for each in (path.parent,) if not each.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            made.append(path)
            write_whole(path, text.encode())
    except OSError as error:
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        raise GradcheckError(f"{path} cannot be written, so nothing is: {error.strerror}") from None
