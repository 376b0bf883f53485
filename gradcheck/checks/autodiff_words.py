"""What of automatic differentiation a file's code names, and where: read from its syntax, nothing is run.

A backward that a learner wrote, `MyFunction.backward(ctx, grad_output)`, is the learner's own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cached_property

from gradcheck.checks.file_code import FileCode, code_below
from gradcheck.showing.text import in_a_row

Found = list[tuple[int, str]]
"""Lines and words."""

_TRANSFORMS = {
    "grad", "grad_and_value", "vjp", "jvp", "jacrev", "jacfwd", "hessian", "linearize", "make_dual", "unpack_dual",
    "dual_level", "jacobian", "vhp", "hvp",
}  # fmt: skip
_MODULES = ("torch.autograd", "torch.func", "functorch", "torch._functorch", "torch._C._functorch")
_OWN = ("torch.autograd.Function.", "torch.autograd.function.")
_METHODS = {
    "requires_grad_": ".requires_grad_()",
    "grad_fn": "grad_fn",
    "enable_grad": "torch.enable_grad",
    "_make_dual": "torch.autograd.forward_ad",
    "_fw_primal": "torch.autograd.forward_ad",
}
_SHOWN = 3


class AutodiffWords(FileCode):
    """Such words in one file. A file that cannot be read has none."""

    def reached_by(self, function: str) -> str:
        """What a call of `function` may come to, in words; empty where there is nothing."""
        return _told(self._from(self.named.get(function, [])))

    def at(self, line: int) -> str:
        """The first word of the statement that a line belongs to, or a module whose parameters require gradients; empty
        where it names nothing.
        """
        statements = [part for each in self.whole for part in code_below(each) if isinstance(part, ast.stmt)]
        around = [each for each in statements if each.lineno <= line <= (each.end_lineno or 0)]
        inner = min(around, key=lambda each: (each.end_lineno or 0) - each.lineno, default=None)
        parts = list(code_below(inner)) if inner else []
        found = sorted((_line(part), word) for part in parts if (word := self._word(part)))
        paths = [self.path(part.func) for part in parts if isinstance(part, ast.Call)]
        modules = [each for each in paths if each.startswith("torch.nn.") and each.rpartition(".")[2][:1].isupper()]
        return next((word for _, word in found), "") or next((f"the parameters of {each}" for each in modules), "")

    @property
    def anywhere(self) -> str:
        """What any of the file's code names, its loading included."""
        return _told(self._all)

    @property
    def words(self) -> tuple[str, ...]:
        """The same without lines, each once."""
        return tuple(dict.fromkeys(word for _, word in self._all))

    @cached_property
    def _all(self) -> Found:
        return self._from(self.whole)

    def _from(self, nodes: Iterable[ast.AST]) -> Found:
        """Words in these parts of the code and in whatever of the file they name."""
        parts = (part for each in self.reached(nodes) for part in code_below(each))
        return sorted((_line(part), word) for part in parts if (word := self._word(part)))

    def _word(self, part: ast.AST) -> str:
        if isinstance(part, ast.keyword):
            asked = part.arg == "requires_grad" and not (isinstance(part.value, ast.Constant) and not part.value.value)
            return "requires_grad" if asked else ""
        if isinstance(part, ast.Attribute):
            if part.attr == "requires_grad" and isinstance(part.ctx, ast.Store):
                return "requires_grad"
            return self._named_by(part.attr, part.value)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "getattr":
            named = part.args[1] if len(part.args) > 1 else None
            if isinstance(named, ast.Constant) and isinstance(named.value, str):
                return self._named_by(named.value, part.args[0])
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
            return _of_torch(self.aliases.get(part.id, ""))
        return ""

    def _named_by(self, name: str, owner: ast.expr) -> str:
        """The word for `owner.name`."""
        if name in _METHODS:
            return _METHODS[name]
        path = self.path(owner)
        if name == "backward":
            # Of a class of the file's own, or of the class itself, it is the learner's.
            own = path in self.named or path in ("self", "cls", "super") or path.partition(".")[0] in self.aliases
            return "" if own and not path.startswith(_MODULES) else ".backward()"
        return _of_torch(f"{path}.{name}") if path else ""


def _line(part: ast.AST) -> int:
    return getattr(part, "lineno", 0)


def _of_torch(path: str) -> str:
    """`path` if it names automatic differentiation or a backward formula of torch."""
    first, _, last = path.rpartition(".")
    if f"{path}.".startswith(_OWN):
        return ""
    if last in _TRANSFORMS and first.startswith(_MODULES):
        return path
    if path.startswith("torch.") and ("backward" in last or path.startswith("torch.nn.grad.")):
        return path
    return path if path.startswith(("torch._C._functorch.", "torch.autograd.forward_ad.")) else ""


def _told(found: Found) -> str:
    first: dict[str, int] = {}
    for line, word in found:
        first.setdefault(word, line)
    shown = [f"{word} (line {line})" for word, line in list(first.items())[:_SHOWN]]
    return in_a_row(shown)
