"""Words in a file's code that no exercise needs: for the instructor's eyes, never for the score, and not for learners.

A worker has no automatic differentiation, and only numbers earn points there. What tries to get around that is made of
words that can be read all the same. Comments, strings and what runs only under `if __name__ == "__main__":` are not
read, nor is a variable that happens to be called `signal`. Whoever spells words in pieces is not found; a person who
looks will wonder why.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gradcheck.checks.file_code import AutodiffWords, code_of

_MODULES = {
    "_thread", "ctypes", "gc", "gradcheck", "inspect", "marshal", "multiprocessing", "pickle", "signal", "socket",
    "subprocess", "threading",
}  # fmt: skip
_BUILTINS = {"eval", "exec", "__import__", "__builtins__"}
_ATTRIBUTES = {
    "AutodiffGuard", "TorchFunctionMode", "TorchDispatchMode", "DisableTorchFunction", "autodiff_guard", "_getframe",
    "__subclasses__", "__globals__", "__builtins__", "__code__", "f_back", "f_locals",
}  # fmt: skip
_PATHS = (
    "torch._C", "torch.overrides", "torch.library", "torch._decomp", "os._exit", "os.fork", "os.kill", "os.system",
    "os.dup", "os.exec", "os.spawn", "os.posix_spawn", "sys.modules", "sys.settrace", "sys.setprofile", "sys.meta_path",
    "importlib.",
)  # fmt: skip
_BY_NAME = {"getattr", "setattr", "delattr", "hasattr", "__import__", "import_module"}
_MOST = 4


def unusual(sources: Mapping[str, bytes]) -> tuple[str, ...]:
    """A sentence for each exercise's file that has such words."""
    told = []
    for name, source in sources.items():
        words = list(dict.fromkeys([*_words(source), *AutodiffWords(source).words]))
        if words:
            more = ", …" if len(words) > _MOST else ""
            told.append(f"{name} has words that no exercise needs ({', '.join(words[:_MOST])}{more}); look at it")
    return tuple(told)


def _words(source: bytes) -> Iterator[str]:
    for part in code_of(source):
        if isinstance(part, ast.Import):
            yield from filter(None, (_module(each.name) for each in part.names))
        elif isinstance(part, ast.ImportFrom) and part.module:
            for each in part.names:
                yield from filter(None, [_module(part.module) or _path(f"{part.module}.{each.name}")])
        elif isinstance(part, ast.Name) and part.id in _BUILTINS:
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield from filter(None, [_path(ast.unparse(part))])
        elif isinstance(part, ast.MatchClass):
            yield from (name for name in part.kwd_attrs if name in _ATTRIBUTES)
        elif isinstance(part, ast.Call) and _called(part.func) in _BY_NAME:
            texts = [each.value for each in part.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            yield from filter(None, (_module(text) or _path(f"{_called(part.func)}.{text}") for text in texts))


def _module(name: str) -> str:
    return name if name.partition(".")[0] in _MODULES or name.startswith(_PATHS) else ""


def _path(path: str) -> str:
    """The dotted name, as far as it is unusual."""
    last = path.rpartition(".")[2]
    if last in _ATTRIBUTES:
        return last
    found = next((each for each in _PATHS if path.startswith(each)), "")
    return ".".join(path.split(".")[:2]) if found else ""


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
