"""How long every axis of a formula is: an index runs as far as the axes that it walks along."""

from __future__ import annotations

from collections.abc import Iterator

from gradcheck.course.scaffold.formula import DRAWN, Reader, Survey, indices_in_words, read
from gradcheck.operators.operator import BATCH_SIZE

_FRESH = ("n", "m", "I", "O", "C", "K", "P")


def survey(text: str, declared: tuple[str, ...] = ()) -> Survey:
    """Reads `y[i] = …` and gives every index and axis its size; `declared` names scalar inputs that would else be taken
    for sizes. Raises FormulaError.
    """
    reader = read(text, declared)
    _Sizes(reader).settle()
    return reader.found


class _Sizes:
    def __init__(self, reader: Reader) -> None:
        self.reader, self.found, self.sized, self.bare = reader, reader.found, reader.sized, reader.bare
        self.fail = reader.fail

    def settle(self) -> None:
        found = self.found
        for name, node in self.bare.items():
            if name not in self.sized.values() and (name in self.reader.declared or name not in (*DRAWN, BATCH_SIZE)):
                self.reader.free_name(node, name, "input")
                found.axes.setdefault(name, [])
                if found.axes[name]:
                    raise self.fail(
                        node, f"{name} has {indices_in_words(len(found.axes[name]))} elsewhere and no index here"
                    )
        for name in (*found.indices, *found.dummies):
            if name in found.axes or name in (*DRAWN, BATCH_SIZE):
                raise self.fail(None, f"{name} is an index and also the name of an input or a size")
        waiting = [name for name in self.bare if name in (*DRAWN, BATCH_SIZE) and name not in found.axes]
        for group in self.groups():
            indices = [each for each in group if isinstance(each, str)]
            sizes = list(dict.fromkeys(self.sized[index] for index in indices if index in self.sized))
            if len(sizes) > 1:
                others = " and ".join(f"{index} up to {self.sized[index]}" for index in indices if index in self.sized)
                raise self.fail(None, f"one axis has two sizes: {others}")
            size = sizes[0] if sizes else self.fresh(waiting, chosen=not indices)
            found.sizes |= dict.fromkeys(indices, size)
            for each in group:
                if not isinstance(each, str):
                    found.sizes[f"{each[0]} {each[1]}"] = size
        for name in waiting:
            if name not in found.sizes.values():
                raise self.fail(self.bare[name], f"{name} is the name of a size, and nothing here has that size")
        found.shapes = {
            name: tuple(found.sizes.pop(f"{name} {position}") for position in range(len(axes)))
            for name, axes in found.axes.items()
        }
        for name, node in self.bare.items():
            if name in found.axes and name in found.sizes.values():
                raise self.fail(node, f"{name} is an input and also a size")

    def fresh(self, waiting: list[str], *, chosen: bool) -> str:
        used: set[str] = {*self.sized.values(), *self.found.sizes.values(), *self.found.axes, self.found.output}
        preferred: tuple[str, ...] = ("K", *_FRESH) if chosen else (*waiting, *(("O",) if "I" in used else ()), *_FRESH)
        return next(name for name in preferred if name not in used)

    def groups(self) -> Iterator[list[str | tuple[str, int]]]:
        """Indices and axes of one size, in order of appearance."""
        left: list[set[str | tuple[str, int]]] = [{name} for name in (*self.found.indices, *self.found.dummies)]
        left += [
            {(name, position), *indices}
            for name, axes in self.found.axes.items()
            for position, indices in enumerate(axes)
        ]
        while left:
            group = left.pop(0)
            while touching := [each for each in left if each & group]:
                group |= touching[0]
                left.remove(touching[0])
            yield sorted(group, key=str)
