"""What is measured of each tool: facts, for the page."""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
import torch

from tests.benchmarks.peers.peer_functions import FUNCTIONS, Case, Function, inputs_of, planted, right, right_cases
from tests.benchmarks.peers.peer_judges import OURS, TOOLS, Counted, Tool, as_function
from tests.benchmarks.peers.peer_wrongs import WRONGS, Wrong

ERRORS = tuple(10.0**-power for power in range(17))
"""The planted relative errors, from 1 down."""


@dataclass(frozen=True)
class Extent:
    """How much is measured: how many right candidates, this library's and the others', the shape that errors are
    planted at, and in which functions, the functions and sizes that cost is measured at, and how long a tool may take for
    all sizes of one.
    """

    right: int = 10_000
    right_of_others: int = 1_000
    planted_in: tuple[str, ...] = ("softmax", "layer norm", "gelu")
    shape: tuple[int, int] = (64, 128)
    costly: tuple[str, ...] = ("softmax", "layer norm", "gelu", "linear")
    sizes: tuple[int, ...] = (8, 100, 1_000, 10_000, 100_000, 1_000_000)
    limit: float = 30
    widest: int = 10_000
    """Kinds of wrong backwards with more columns are left out."""


QUICK = Extent(right=300, right_of_others=50, shape=(4, 8), sizes=(8, 100), limit=20, widest=100)


@dataclass
class Refusals:
    """Of right candidates, by group: how many a tool was asked about, and refused; which; how long it took."""

    tool: str
    asked: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    which: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0


def group_of(case: Case) -> str:
    dtype = str(case.dtype).removeprefix("torch.")
    if case.dtype is not torch.float64:
        return dtype
    if case.kind != "normal":
        return f"{dtype}, ties, zeros, equal or very unequal entries"
    return f"{dtype}, normal entries" + (" of size 1" if case.scale == 1 else " of other sizes")


def refusals(tool: Tool, cases: Iterable[Case]) -> Refusals:
    found = Refusals(tool.name)
    for case in cases:
        candidate, inputs = case.made()
        started = time.process_time()
        judged = tool.judge(candidate, inputs)
        found.seconds += time.process_time() - started
        if judged.outcome == "not applicable":
            continue
        found.asked[group_of(case)] += 1
        if judged.outcome != "passed":
            found.refused[group_of(case)] += 1
            found.which.append((str(case), judged.reason))
    return found


@dataclass(frozen=True)
class Smallest:
    """The smallest planted relative error that a tool catches, with all larger ones: none, if it is None. `refuses`: the
    right one is refused too, and nothing can be told. Not `applicable`: no numbers of this kind.
    """

    tool: str
    dtype: str
    function: str
    everywhere: bool
    error: float | None = None
    refuses: bool = False
    applicable: bool = True


def smallest(tool: Tool, function: Function, dtype: torch.dtype, shape: tuple[int, int]) -> list[Smallest]:
    """By bisection, errors in all entries and then in one, which nobody catches where it is missed in all."""
    inputs = inputs_of(function, *shape, dtype)
    good = right(function)
    name = str(dtype).removeprefix("torch.")
    of_right = tool.judge(good, inputs).outcome
    found = []
    missed = len(ERRORS)  # places in ERRORS
    for everywhere in (True, False):
        if of_right != "passed":
            told = {"refuses": of_right != "not applicable", "applicable": of_right != "not applicable"}
            found.append(Smallest(tool.name, name, function.name, everywhere, **told))
            continue
        caught = -1
        while missed - caught > 1:
            middle = (caught + missed) // 2
            if tool.judge(planted(good, ERRORS[middle], everywhere=everywhere), inputs).outcome == "caught":
                caught = middle
            else:
                missed = middle
        error = ERRORS[caught] if caught >= 0 else None
        found.append(Smallest(tool.name, name, function.name, everywhere, error))
    return found


@dataclass(frozen=True)
class Seen:
    """What a tool said of a wrong backward; `refuses`: of the right one too, at the same inputs."""

    kind: str
    function: str
    tool: str
    outcome: str
    refuses: bool


def seen(tool: Tool, wrong: Wrong) -> Seen:
    bad, good, inputs = wrong.made()
    outcome = tool.judge(bad, inputs).outcome
    return Seen(wrong.kind, wrong.function, tool.name, outcome, tool.judge(good, inputs).outcome == "caught")


@dataclass(frozen=True)
class Cost:
    """What it costs to judge a right candidate with `size` entries of inputs: `seconds`, beside those of one forward and
    backward of torch, and of the candidate; bytes at most beyond what was held before (None: no more than what was held at some time before),
    beside those of the inputs, and how often the candidate was called.
    """

    tool: str
    function: str
    size: int
    outcome: str
    seconds: float
    plain: float
    own: float
    memory: int | None
    inputs: int
    forwards: int
    backwards: int

    @property
    def ratio(self) -> float:
        return self.seconds / self.plain

    @property
    def memory_ratio(self) -> float | None:
        return None if self.memory is None else self.memory / self.inputs


def sized(function: Function, size: int) -> tuple[int, int]:
    """About as many rows as columns, so that the inputs have about `size` entries in all."""
    rows, columns = 64, 64
    matrices = sum(math.prod(shape) for shape in function.shapes(rows, columns)) // (rows * columns)
    rows = math.isqrt(size // matrices)
    return rows, size // matrices // rows


def fastest(work: Callable[[], object], runs: int, budget: float = 1.0, least: int = 1) -> float:
    """The seconds of the fastest of so many runs, or of `least` where they take longer than the budget. Those that this
    process computes: others may be at work on the machine.
    """
    times: list[float] = []
    while len(times) < least or (len(times) < runs and sum(times) < budget):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def peak() -> int:
    """The most memory, in bytes, that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def cost(tool: Tool, function: Function, size: int) -> Cost:
    shape = sized(function, size)
    inputs = inputs_of(function, *shape, torch.float64)
    candidate = right(function)
    upstream = torch.randn_like(function.forward(*inputs))
    written = as_function(Counted(candidate)).apply

    def once(forward: Callable[..., torch.Tensor]) -> None:
        leaves = [each.detach().requires_grad_() for each in inputs]
        torch.autograd.grad(forward(*leaves), leaves, upstream)

    plain, own = (fastest(lambda: once(each), runs=50, least=5) for each in (function.forward, written))
    held, before = psutil.Process().memory_info().rss, peak()
    started = time.process_time()
    judged = tool.judge(candidate, inputs)
    seconds = time.process_time() - started
    memory = peak() - held if peak() > max(held, before) else None
    for seed in range(1, 1 + min(50, int(2 / seconds))):
        others = inputs_of(function, *shape, torch.float64, seed=seed)  # what a tool keeps of a call is of no use to it
        seconds = min(seconds, fastest(lambda: tool.judge(candidate, others), runs=1))
    size_in_bytes = sum(each.nbytes for each in inputs)
    calls = (judged.forwards, judged.backwards)
    return Cost(tool.name, function.name, size, judged.outcome, seconds, plain, own, memory, size_in_bytes, *calls)


ROOT = Path(__file__).parents[3]
MOST_MEMORY = 8 * 2**30
"""Of a process that measures cost, in bytes."""


def print_costs(tool: str, function: str, sizes: Iterable[int]) -> None:
    """In a process of its own: a line for each size, ascending, until the memory ends. The first call, at inputs of no
    other, loads what is loaded once.
    """
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, resource.RLIM_INFINITY))
    TOOLS[tool].judge(right(FUNCTIONS[function]), inputs_of(FUNCTIONS[function], 2, 2, torch.float64, seed=1000))
    for size in sizes:
        found = cost(TOOLS[tool], FUNCTIONS[function], size)
        print(json.dumps(asdict(found)), flush=True)
        if found.outcome == "not applicable":
            return


def costs(tool: Tool, function: str, extent: Extent) -> list[Cost]:
    """As many as the time allows. A process that ends with an error gets a second try: others may have taken all there
    was.
    """
    command = [sys.executable, "-m", "tests.benchmarks.peers.compare_peers", "--cost", tool.name, function]
    command += [str(size) for size in extent.sizes]
    told = ""
    for _ in range(2):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=extent.limit, env=one_core(), cwd=ROOT
            )
        except subprocess.TimeoutExpired as slow:
            told = (slow.stdout or b"").decode()
            break
        told = done.stdout
        if not done.returncode:
            break
        print(f"{tool.name}, {function}: {done.stderr[-300:]}", file=sys.stderr)
    return [Cost(**json.loads(line)) for line in told.splitlines()]


def one_core() -> dict[str, str]:
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    }


@dataclass(frozen=True)
class Import:
    """What `import gradcheck` takes beyond the start of Python, and whether torch came with it."""

    seconds: float
    torch: bool


def import_alone() -> Import:
    def start(code: str) -> tuple[float, str]:
        started = time.perf_counter()
        told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        return time.perf_counter() - started, told.strip()

    bare = min(start("pass")[0] for _ in range(5))
    tried = [start("import gradcheck, sys; print('torch' in sys.modules)") for _ in range(5)]
    return Import(min(seconds for seconds, _ in tried) - bare, tried[0][1] == "True")


@dataclass
class Figures:
    """All that was measured in one run."""

    extent: Extent
    refusals: list[Refusals] = field(default_factory=list)
    smallest: list[Smallest] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    imported: Import | None = None


def measured(extent: Extent, tools: Sequence[Tool], say: Callable[[str], None]) -> Figures:
    torch.set_num_threads(1)
    figures = Figures(extent, imported=import_alone())
    for tool in tools:
        say(f"{tool.name}: cost")
        figures.costs += [found for function in extent.costly for found in costs(tool, function, extent)]
    for tool in tools:
        say(f"{tool.name}: kinds of wrong backwards")
        figures.seen += [seen(tool, wrong) for wrong in WRONGS if wrong.columns <= extent.widest]
        say(f"{tool.name}: smallest errors")
        for dtype in (torch.float64, torch.float32, torch.bfloat16):
            for name in extent.planted_in:
                figures.smallest += smallest(tool, FUNCTIONS[name], dtype, extent.shape)
        count = extent.right if tool.name == OURS else extent.right_of_others
        say(f"{tool.name}: {count:,} right candidates")
        figures.refusals.append(refusals(tool, right_cases(count)))
    return figures
