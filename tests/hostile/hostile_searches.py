"""Searches for the answers: in memory, in the grader's modules, on disk, in other processes."""

from __future__ import annotations

from tests.hostile.hostile_record import Expect, Hostile, case, cheating

FAMILY = "searches"
WRONG = Expect("any", 0)
FILES = ("Landlock",)
NAMES = ("mount namespace",)

# `found(x)` is what `backward` returns: what was found if it fits, zeros if not. In the other sources `forward` and
# `jacobian` are not written unless something was found.
NONE = "\n    return torch.zeros_like(x)"
FITS = "isinstance(each, (torch.Tensor, numpy.ndarray)) and each.shape == x.shape and each is not x"
TAKE = "torch.as_tensor(each).to(x.dtype).clone()"

RUN_SOLUTION = """
def found(x):
    try:
        scope = {}
        for line in PATHS:
            for path in glob.glob(line, recursive=True):
                exec(compile(open(path).read(), path, 'exec'), scope)
                return scope
    except Exception:
        pass
    return None
scope = found(None) or {}
def later(x):
    raise NotImplementedError
def forward(x):
    return scope.get('forward', later)(x)
def backward(grad_output, x):
    return scope.get('backward', lambda g, x: x * 0)(grad_output, x)
def jacobian(x):
    return scope.get('jacobian', later)(x)
"""


def running(*paths: str) -> str:
    """Runs the first file of these that can be read, as its own."""
    return f"import glob, sys, torch\nPATHS = [{', '.join(map(repr, paths))}]{RUN_SOLUTION}"


RIGHT_IF_REACHED = """
def later():
    raise NotImplementedError
def forward(x):
    return torch.clamp(x, min=0) if reached else later()
def backward(grad_output, x):
    return grad_output * (x > 0) if reached else x * 0
def jacobian(x):
    return torch.diag((x > 0).to(x.dtype)) if reached else later()
"""

IN_MEMORY = {
    "gc": f"import gc, numpy\ndef found(x):\n    for each in gc.get_objects():\n        if {FITS}:\n            return {TAKE}{NONE}",
    "gc-unfrozen": (
        "import gc, numpy\ngc.unfreeze()\ndef found(x):\n    for owner in gc.get_objects():\n"
        "        for each in gc.get_referents(owner):\n"
        f"            if {FITS}:\n                return {TAKE}{NONE}"
    ),
    "frames": (
        "import sys, numpy\ndef found(x):\n    frame = sys._getframe(1)\n    while frame:\n        for each in frame.f_locals.values():\n"
        f"            if {FITS}:\n                return {TAKE}\n        frame = frame.f_back{NONE}"
    ),
    "frames-by-name": (
        "import inspect, torch\ndef found(x):\n    for info in inspect.stack():\n        for name, each in info.frame.f_locals.items():\n"
        "            if 'expect' in name or 'truth' in name or 'reference' in name:\n"
        f"                return torch.as_tensor(each){NONE}"
    ),
    "other-threads": (
        "import sys, numpy\ndef found(x):\n    for frame in sys._current_frames().values():\n        for each in frame.f_locals.values():\n"
        f"            if {FITS}:\n                return {TAKE}{NONE}"
    ),
    "modules": (
        "import sys, numpy\ndef found(x):\n    for name, module in list(sys.modules.items()):\n        if 'gradcheck' in name:\n"
        "            for each in list(vars(module).values()):\n"
        f"                if {FITS}:\n                    return {TAKE}{NONE}"
    ),
    "environment": (
        "import os\ndef found(x):\n    text = ' '.join(os.environ.values())\n    return torch.full_like(x, float('seed' in text))"
    ),
}

DERIVING = (
    """
try:
    from gradcheck.operators import all_operators
    from gradcheck.references import derive
    operator = all_operators()['relu']
    import sympy
    rule = derive
except Exception:
    rule = None
if rule is None:
    try:
        from gradcheck.catalog import find_exercise
        rule = find_exercise('relu').misconceptions
    except Exception:
        pass
reached = rule is not None
"""
    + RIGHT_IF_REACHED
)
MEMORY_OF_OTHERS = (
    """
import os
def reach():
    for pid in ('self', 1, os.getppid()):
        for name in ('mem', 'maps', 'environ', 'cmdline', 'fd', 'root', 'cwd'):
            try:
                path = f'/proc/{pid}/{name}'
                (os.listdir if name in ('fd', 'root', 'cwd') else lambda p: open(p, 'rb').read(1 << 12))(path)
                return True
            except OSError:
                pass
    return False
reached = reach()
"""
    + RIGHT_IF_REACHED
)

READ = (
    """
import os
def readable(*paths):
    for path in paths:
        try:
            os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(1)
            return True
        except OSError:
            pass
    return False
reached = readable({paths})
"""
    + RIGHT_IF_REACHED
)


def reading(*paths: str) -> str:
    """Right if any of these can be read: the points tell."""
    return "import torch\n" + READ.replace("{paths}", ", ".join(map(repr, paths)))


ASKED = (
    """
import os
def there(*paths):
    for path in paths:
        for ask in (os.stat, os.lstat, lambda path: os.stat(os.open(path, os.O_PATH))):
            try:
                ask(path)
                return True
            except OSError:
                pass
    return False
def installed():
    import site
    names = []
    for folder in site.getsitepackages():
        try:
            names += os.listdir(folder) + [entry.name for entry in os.scandir(folder)]
        except OSError:
            pass
    return any(name.startswith(('gradcheck', 'pytest', '_pytest')) for name in names)
reached = {asked}
"""
    + RIGHT_IF_REACHED
)


def asking(*paths: str) -> str:
    """Right if any of these is said to exist."""
    return "import torch\n" + ASKED.replace("{asked}", f"there({', '.join(map(repr, paths))})")


CASES: list[Hostile] = [
    *(case(f"search-{name}", FAMILY, cheating(source, "found(x)"), WRONG) for name, source in IN_MEMORY.items()),
    case(
        "search-solutions-by-path",
        FAMILY,
        running(
            "@SOLUTIONS@/04_modules/relu.py",
            "@SOLUTIONS@/**/relu.py",
            "../solutions/**/relu.py",
            "solutions/**/relu.py",
        ),
        WRONG,
        needs=FILES,
    ),
    case("search-a-neighbour's-answer", FAMILY, running("@CLASS_FOLDER@/zz-honest/**/relu.py"), WRONG, needs=FILES),
    case(
        "search-its-own-folder",
        FAMILY,
        running("../zz-honest/exercises/**/relu.py", "../../../*/exercises/**/relu.py"),
        WRONG,
        needs=FILES,
    ),
    case(
        "search-the-whole-disk",
        FAMILY,
        running("/*/*/solutions/04_modules/relu.py", "/*/*/*/solutions/04_modules/relu.py"),
        WRONG,
        needs=FILES,
    ),
    case("search-by-importing-the-rules", FAMILY, f"import torch\n{DERIVING}", WRONG, needs=FILES),
    case("search-other-processes", FAMILY, f"import torch\n{MEMORY_OF_OTHERS}", WRONG, needs=FILES),
    case(
        "search-the-package",
        FAMILY,
        reading("@PACKAGE@/catalog/relu.py", "@PACKAGE@/operators", "@PACKAGE@"),
        WRONG,
        needs=FILES,
    ),
    case("search-the-results", FAMILY, reading("@OUT@", "@OUT@/class.json", "@OUT@/reports"), WRONG, needs=FILES),
    case("search-the-class", FAMILY, reading("@CLASS_FOLDER@", "@CLASS_FOLDER@/zz-honest"), WRONG, needs=FILES),
    case("ask-for-the-class", FAMILY, asking("@CLASS_FOLDER@", "@CLASS_FOLDER@/zz-honest"), WRONG, needs=NAMES),
    case(
        "ask-for-the-results",
        FAMILY,
        asking("@OUT@", "@OUT@/.gradcheck", "@OUT@/.gradcheck/journal.jsonl", "@OUT@/.gradcheck/expected"),
        WRONG,
        needs=NAMES,
    ),
    case("ask-for-the-solutions", FAMILY, asking("@SOLUTIONS@", "@SOLUTIONS@/04_modules/relu.py"), WRONG, needs=NAMES),
    case("ask-for-the-package", FAMILY, asking("@PACKAGE@", "@PACKAGE@/catalog/relu.py"), WRONG, needs=NAMES),
    case(
        "ask-what-is-installed",
        FAMILY,
        "import torch\n" + ASKED.replace("{asked}", "installed()"),
        WRONG,
        needs=NAMES,
    ),
    case("search-secrets", FAMILY, reading("/etc/shadow", "/root", "/home", "/var/log", "/proc/1"), WRONG, needs=FILES),
    case(
        "search-caches",
        FAMILY,
        reading(".gradcheck", "@PACKAGE@/../.gradcheck", "/root/.cache", "/tmp"),
        WRONG,
        needs=FILES,
    ),
    case(
        "search-through-a-neighbouring-exercise",  # relu.py takes sigmoid's functions; they are no answer here
        FAMILY,
        cheating(
            "import sys\ndef found(x):\n    m = sys.modules.get('gradcheck_submission_sigmoid')\n    return m.forward(x) if m else x * 0",
            "found(x)",
        ),
        WRONG,
    ),
    case(
        "torch's-own-backward",
        FAMILY,
        cheating("", "torch.ops.aten.threshold_backward(grad_output, x, 0)"),
        Expect("failed", 0, 0, "backward kernel"),
    ),
]
