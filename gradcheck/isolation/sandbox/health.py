"""What `gradcheck doctor` finds out: the sandbox's layers, and whether the installed versions fit."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import wrap

from gradcheck.isolation.sandbox.layers import KINDS, Layer, baseline_missing

SCHEMA = "gradcheck/doctor/v1"
_CONSTRAINTS = Path(__file__).resolve().parents[3] / "constraints.txt"
_NAME_COLUMN = 19


@dataclass(frozen=True)
class Version:
    """One of the things gradcheck stands on: `found` is empty where it is missing, `tested` where nobody said."""

    name: str
    found: str
    required: str
    tested: str
    fits: bool


@dataclass(frozen=True)
class Health:
    """All that was examined."""

    system: str
    layers: tuple[Layer, ...]
    versions: tuple[Version, ...]

    @property
    def baseline_missing(self) -> list[str]:
        return baseline_missing(self.layers)

    def as_json(self) -> dict[str, object]:
        """A dict of plain values, schema gradcheck/doctor/v1."""
        kinds = {kind.name: kind for kind in KINDS}
        return {
            "schema": SCHEMA,
            "system": self.system,
            "baseline_held": not self.baseline_missing,
            "layers": [
                {**asdict(layer), "baseline": kinds[layer.name].baseline, "remedy": kinds[layer.name].remedy}
                for layer in self.layers
            ],
            "versions": [asdict(version) for version in self.versions],
        }


def examine() -> Health:
    """Try every layer and look up every version. Takes about two seconds; forks, so call it while single-threaded."""
    from gradcheck.isolation.sandbox.probe import probe_layers

    system = " ".join(part for part in (platform.system(), platform.release(), platform.machine()) if part)
    return Health(system, tuple(probe_layers()), tuple(versions()))


def versions() -> list[Version]:
    """Python and what gradcheck requires, beside what it was tested with."""
    tested = _tested()
    try:
        metadata = importlib.metadata.metadata("gradcheck")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that was never installed
        return [Version("python", platform.python_version(), "", "", fits=True)]
    python = metadata["Requires-Python"] or ""
    found = [_version("python", platform.python_version(), python, "")]
    for requirement in importlib.metadata.requires("gradcheck") or []:
        head, _, marker = requirement.partition(";")
        match = re.match(r"([A-Za-z0-9._-]+)\s*(.*)", head.strip())
        if match is None or marker:
            continue
        name, required = match[1], match[2].strip()
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = ""
        found.append(_version(name, installed, required, tested.get(name, "")))
    return found


def lines(health: Health, width: int, colour: Mapping[str, str] | None = None) -> Iterator[str]:
    """The examination for people, no line wider than `width`. `colour`: state -> its text with colours in it."""
    words = {"held": "held", "missing": "missing", **(colour or {})}
    kinds = {kind.name: kind for kind in KINDS}
    nowhere = not any(layer.held for layer in health.layers)
    yield from wrap(f"The sandbox on {health.system}. A submission ...", width)
    yield ""
    for layer in health.layers:
        kind = kinds[layer.name]
        state = "held" if layer.held else "missing"
        name = f"{layer.name}{' *' if kind.baseline else ''}"
        text = (
            kind.does
            if layer.held
            else _sentence(layer.detail)
            if nowhere
            else f"{_sentence(layer.detail)} {kind.remedy}"
        )
        yield from _row(words[state], state, name, text, width)
    yield ""
    yield from wrap("* the baseline, which `gradcheck grade --require-sandbox` insists on", width)
    yield ""
    for version in health.versions:
        state = "fits" if version.fits else "wrong"
        yield from _row(state, state, version.name, _verdict(version), width)
    yield ""
    missing = health.baseline_missing
    if nowhere:
        verdict = (
            "Nothing holds here but a process for each submission, and time limits. Grade only submissions that you "
        )
        verdict += "trust, or grade on Linux: a container or a virtual machine will do."
    elif missing:
        verdict = f"The baseline does not hold: {', '.join(missing)}. Grade only submissions that you trust here."
    elif any(not layer.held for layer in health.layers):
        verdict = "The baseline holds. Reports name the layers that are missing."
    else:
        verdict = "Every layer holds."
    yield from wrap(verdict, width)


def _row(shown: str, state: str, name: str, text: str, width: int) -> Iterator[str]:
    indent = 10 + _NAME_COLUMN + 2
    if width < indent + 20:  # too narrow for columns
        yield f"{shown} {name}"
        yield from wrap(text, width, initial_indent="  ", subsequent_indent="  ")
        return
    first, *rest = wrap(text, width - indent) or [""]
    yield f"  {shown}{' ' * (8 - len(state))}{name:<{_NAME_COLUMN}}  {first}"
    yield from (" " * indent + line for line in rest)


def _sentence(detail: str) -> str:
    return f"{detail[:1].upper()}{detail[1:]}."


def _verdict(version: Version) -> str:
    if not version.found:
        return f"not installed; needs {version.required}".rstrip()
    if not version.fits:
        return f"{version.found}; needs {version.required}"
    if version.tested and _numbers(version.tested) != _numbers(version.found):
        return f"{version.found}; tested with {version.tested}"
    return version.found


def _version(name: str, found: str, required: str, tested: str) -> Version:
    return Version(name, found, required, tested, bool(found) and fits(found, required))


def fits(version: str, required: str) -> bool:
    """Whether a version meets a requirement made of >=, >, <=, <, == and !=, by its numbers."""
    have = _numbers(version)
    for part in filter(None, (part.strip() for part in required.split(","))):
        match = re.match(r"(>=|<=|==|!=|>|<|~=)\s*(.+)", part)
        if match is None:
            continue
        want = _numbers(match[2])
        length = max(len(have), len(want))
        left, right = (numbers + (0,) * (length - len(numbers)) for numbers in (have, want))
        outcomes = {">=": left >= right, "<=": left <= right, "==": left == right, "!=": left != right}
        if not {**outcomes, ">": left > right, "<": left < right, "~=": left >= right}[match[1]]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _tested() -> dict[str, str]:
    """The versions of constraints.txt, where gradcheck runs from its repository."""
    try:
        text = _CONSTRAINTS.read_text(encoding="utf-8")
    except OSError:
        return {}
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", text, re.MULTILINE))
