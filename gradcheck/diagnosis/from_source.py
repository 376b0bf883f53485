"""What of a file's code keeps something between calls, or draws random numbers, and on which line: read, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property, lru_cache

from gradcheck.checks.file_code import FileCode, code_below

_CONTAINERS = {"list", "dict", "set", "defaultdict", "OrderedDict", "Counter", "deque"}
_CHANGING = {
    "append", "appendleft", "extend", "insert", "add", "update", "setdefault", "pop", "popleft", "popitem", "clear",
    "remove", "discard", "__setitem__",
}  # fmt: skip
_MEMOS = ("functools.cache", "functools.lru_cache", "functools.cached_property")
_DRAWING = {
    "torch.rand", "torch.randn", "torch.randint", "torch.randperm", "torch.rand_like", "torch.randn_like",
    "torch.randint_like", "torch.bernoulli", "torch.multinomial", "torch.normal", "torch.poisson",
}  # fmt: skip
_DRAWING_METHODS = {
    "normal_", "uniform_", "bernoulli_", "random_", "exponential_", "geometric_", "cauchy_", "log_normal_", "bernoulli",
    "multinomial",
}  # fmt: skip
_WITHOUT_GENERATOR = ("torch.distributions.", "torch.utils.data.DataLoader", "torch.utils.data.RandomSampler")
_UNWRITTEN = ("torch.empty", "torch.empty_like", "numpy.empty", "numpy.empty_like")
_FROM_THE_WORLD = ("time.", "secrets.", "uuid.", "os.urandom", "datetime.")
_SEEDS = ("torch.manual_seed", "torch.seed", "torch.random.manual_seed", "random.seed", "numpy.random.seed")
_PLACED = (ast.stmt, ast.expr)
_LONGEST = 40


@dataclass(frozen=True)
class Kept:
    """What outlives a call: its name as it stands in the file, what it begins with, and the line that changes it.
    `default`: it is the default value of a parameter.
    """

    name: str
    root: str
    line: int
    default: bool = False


@dataclass(frozen=True)
class Drawn:
    """A call that draws from `whose` generator: `torch`, `numpy`, `random`, the `world`, or reads `memory` that nobody
    has written to; that makes one of its `own`; or that seeds the shared one (`seeds`) or the one that was passed
    (`restarts`). `fixed`: with constants alone. `takes`: it has a parameter for a generator.
    """

    text: str
    line: int
    whose: str
    fixed: bool
    takes: bool


@dataclass(frozen=True)
class ReadFunction:
    """A function of a file: its part of the code, and the file's."""

    code: FileCode
    nodes: tuple[ast.AST, ...]

    @property
    def parameters(self) -> list[str]:
        """Its own names of them."""
        for node in self.nodes:
            if isinstance(node, (ast.FunctionDef, ast.Lambda)):
                return [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
        return []

    @cached_property
    def reached(self) -> list[ast.AST]:
        return list(self.code.reached(self.nodes))

    @cached_property
    def called(self) -> list[ast.AST]:
        """The same without what only its decorators lead to: most of that runs once, when the function is defined."""
        plain = [_undecorated(each) for each in self.nodes]
        return list(self.code.reached(plain))

    @property
    def read(self) -> set[str]:
        """Names whose values it may use."""
        return set().union(*map(_read, self.called))

    @property
    def kept(self) -> list[Kept]:
        """What a call of it may leave behind for the next: its own doing first, then line by line."""
        return self._kept(self.called) or self._kept(self.reached)

    def _kept(self, reached: list[ast.AST]) -> list[Kept]:
        loaded = set().union(*(_read(each) for each in reached if each in self.code.run))
        loaded |= {name for each in reached for name in _decorators(each)}
        found = {kept.name: kept for each in reached for kept in _Leaving(self.code, loaded).of(each)}
        return sorted(found.values(), key=lambda each: (not self._spans(each.line), each.line))

    def _spans(self, line: int) -> bool:
        return any(each.lineno <= line <= (each.end_lineno or 0) for each in self.nodes if isinstance(each, _PLACED))

    def drawn(self, generators: Sequence[str]) -> list[Drawn]:
        """Calls that make chance enter beside the `generators` that it is passed, first line first."""
        parts = (part for each in self.called for part in code_below(each))
        found = (_drawn(self.code, part, generators) for part in parts if isinstance(part, ast.Call))
        return sorted(filter(None, found), key=lambda each: each.line)


def _undecorated(node: ast.AST) -> ast.AST:
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return node
    plain = copy(node)
    plain.decorator_list = []
    return plain


def _decorators(node: ast.AST) -> set[str]:
    return set().union(*map(_read, getattr(node, "decorator_list", ())))


def _read(node: ast.AST) -> set[str]:
    return {part.id for part in code_below(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}


def read_function(candidate: object, function: str) -> ReadFunction | None:
    """A candidate's function as it is written, where its text is known."""
    source_of = getattr(candidate, "source_of", None)
    source, line = source_of(function) if source_of else (b"", 0)
    return written(source, function, line) if source else None


@lru_cache(maxsize=8)
def _code(source: bytes) -> FileCode:
    return FileCode(source)


def written(source: bytes, function: str, line: int = 0) -> ReadFunction | None:
    """The function of that name, or what stands at that line; None where the file says nothing of it."""
    code = _code(source)
    nodes: Iterable[ast.AST] = code.named.get(function, [])
    if line:
        parts = (part for each in code.whole for part in ast.walk(each))
        nodes = [part for part in parts if _begins(part) == line]
        nodes = [part for part in nodes if getattr(part, "name", function) == function] or nodes
    found = tuple({id(node): node for node in nodes}.values())
    return ReadFunction(code, found[-1:]) if found else None


def _begins(part: ast.AST) -> int:
    if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return min([part.lineno, *(each.lineno for each in part.decorator_list)])
    return part.lineno if isinstance(part, ast.Lambda) else 0


class _Leaving:
    """What a part of the code changes that is not made anew in every call. `loaded`: names that are used when the file
    is loaded, so that an instance of such a class lives on.
    """

    def __init__(self, code: FileCode, loaded: set[str]) -> None:
        self.code, self.loaded = code, loaded
        self.scopes: list[set[str]] = []
        self.defaults: set[str] = set()
        self.living = ""
        self.made = False  # whether this is a function that makes others once, when the file is loaded

    def of(self, node: ast.AST) -> Iterator[Kept]:
        if isinstance(node, ast.ClassDef):
            before, self.living = self.living, "self" if node.name in self.loaded else ""
            for statement in node.body:
                yield from self.of(statement)
            self.living = before
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from self._function(node)
        else:
            if self.scopes:
                yield from self._changed(node)
            for each in ast.iter_child_nodes(node):
                yield from self.of(each)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Iterator[Kept]:
        for memo in getattr(node, "decorator_list", ()):
            if self.code.path(memo.func if isinstance(memo, ast.Call) else memo) in _MEMOS:
                yield Kept(f"@{ast.unparse(memo)}", "", memo.lineno)
        own = node.args
        pairs = [*zip([*own.posonlyargs, *own.args][::-1], own.defaults[::-1], strict=False)]
        pairs += [(arg, value) for arg, value in zip(own.kwonlyargs, own.kw_defaults, strict=True) if value]
        before = self.scopes, self.defaults, self.made
        self.defaults = self.defaults | {arg.arg for arg, value in pairs if self._lives_on(value)}
        self.scopes = [*([] if self.made else self.scopes), _names_of(node)]
        self.made = not self.made and getattr(node, "name", "") in self.loaded
        body: Iterable[ast.AST] = node.body if isinstance(node.body, list) else [node.body]
        for each in body:
            yield from self.of(each)
        self.scopes, self.defaults, self.made = before

    def _lives_on(self, value: ast.expr) -> bool:
        """Whether a default is something that can be changed."""
        if isinstance(value, ast.Call):
            path = self.code.path(value.func)
            return path.rpartition(".")[2] in _CONTAINERS or path.startswith("torch.")
        return isinstance(value, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp))

    def _changed(self, node: ast.AST) -> Iterator[Kept]:
        if isinstance(node, (ast.Assign, ast.Delete)):
            for each in node.targets:
                yield from self._target(each)
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign, ast.NamedExpr)):
            yield from self._target(node.target, in_place=isinstance(node, ast.AugAssign))
        elif isinstance(node, ast.Call):
            yield from self._called(node)

    def _target(self, target: ast.expr, *, in_place: bool = False) -> Iterator[Kept]:
        if isinstance(target, (ast.Tuple, ast.List)):
            for each in target.elts:
                yield from self._target(each)
        elif isinstance(target, ast.Name):
            if not self._is_own(target.id) or (in_place and target.id in self.defaults):
                yield self._kept(target.id, target)
        elif isinstance(target, (ast.Subscript, ast.Attribute)):
            yield from self._within(target)

    def _called(self, node: ast.Call) -> Iterator[Kept]:
        function = node.func
        if isinstance(function, ast.Attribute):
            name = function.attr
            if name in _CHANGING or (name.endswith("_") and not name.startswith("_")):
                root = _root(function.value)
                if root and root not in self.code.aliases:
                    yield from self._within(function.value)
        elif isinstance(function, ast.Name) and function.id == "setattr" and len(node.args) == 3:
            yield from self._within(node.args[0])

    def _within(self, place: ast.expr) -> Iterator[Kept]:
        """Something inside of what a name stands for is changed."""
        root = _root(place)
        if root and (not self._is_own(root) or root in self.defaults or root == self.living):
            yield self._kept(root, place)

    def _kept(self, root: str, place: ast.expr) -> Kept:
        while isinstance(place, ast.Subscript):
            place = place.value
        return Kept(ast.unparse(place), root, place.lineno, root in self.defaults)

    def _is_own(self, name: str) -> bool:
        """Whether the name is made anew in every call."""
        return any(name in each for each in self.scopes)


def _root(place: ast.expr) -> str:
    while isinstance(place, (ast.Subscript, ast.Attribute)):
        place = place.value
    return place.id if isinstance(place, ast.Name) else ""


def _names_of(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """The names that are a function's own."""
    own = node.args
    names = {each.arg for each in (*own.posonlyargs, *own.args, *own.kwonlyargs, own.vararg, own.kwarg) if each}
    elsewhere: set[str] = set()
    waiting: list[ast.AST] = list(node.body) if isinstance(node.body, list) else [node.body]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(part.name)
            continue
        if isinstance(part, ast.Lambda):
            continue
        if isinstance(part, (ast.Global, ast.Nonlocal)):
            elsewhere |= set(part.names)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, (ast.Store, ast.Del)):
            names.add(part.id)
        elif isinstance(part, ast.ExceptHandler) and part.name:
            names.add(part.name)
        elif isinstance(part, (ast.Import, ast.ImportFrom)):
            names |= {(each.asname or each.name).partition(".")[0] for each in part.names}
        waiting += ast.iter_child_nodes(part)
    return names - elsewhere


def _drawn(code: FileCode, call: ast.Call, generators: Sequence[str]) -> Drawn | None:
    path = code.path(call.func)
    whose = _whose(code, call, path, generators)
    text = ast.unparse(call)
    if len(text) > _LONGEST:
        text = f"{ast.unparse(call.func)}(…)"
    fixed = bool(call.args) and all(isinstance(each, ast.Constant) for each in call.args)
    takes = whose == "torch" and "dropout" not in path.lower() and not path.startswith(_WITHOUT_GENERATOR)
    return Drawn(text, call.lineno, whose, fixed, takes) if whose else None


def _whose(code: FileCode, call: ast.Call, path: str, generators: Sequence[str]) -> str:
    if isinstance(call.func, ast.Attribute):
        owner, name = call.func.value, call.func.attr
        if isinstance(owner, ast.Name) and owner.id in generators:
            return "restarts" if name in ("manual_seed", "seed", "set_state") else ""
        if name in _DRAWING_METHODS and not path.startswith("torch.") and not _passes(call, generators):
            return "torch"
    imported = path.partition(".")[0] in {each.partition(".")[0] for each in code.aliases.values()}
    if not imported:
        return ""
    if path in _SEEDS:
        return "seeds"
    if path == "torch.Generator" or path.endswith((".default_rng", "random.Random", ".RandomState")):
        return "own"
    if path.startswith("numpy.random."):
        return "numpy"
    if path.startswith("random."):
        return "random"
    if path.startswith(_FROM_THE_WORLD):
        return "world"
    if path in _UNWRITTEN:
        return "memory"
    if path in _DRAWING or (path.startswith("torch.nn.init.") and path.endswith("_")):
        return "" if _passes(call, generators) else "torch"
    dropped = path.startswith("torch.") and "dropout" in path.lower()
    return "torch" if dropped or path.startswith(_WITHOUT_GENERATOR) else ""


def _passes(call: ast.Call, generators: Sequence[str]) -> bool:
    """Whether a generator is passed, by its keyword or as it is."""
    if any(each.arg == "generator" and ast.unparse(each.value) != "None" for each in call.keywords):
        return True
    return any(isinstance(each, ast.Name) and each.id in generators for each in call.args) or any(
        each.arg is None for each in call.keywords
    )
