"""A file can import here what it could where a class is graded, and is told the same of what it could not."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from gradcheck.catalog import find_exercise
from gradcheck.checks.outcome import Argument
from gradcheck.grading.load import load_candidate
from gradcheck.isolation.worker.candidate import Sandboxed, SandboxedCandidate
from gradcheck.isolation.worker.launch import Bounds, Lane

pytestmark = pytest.mark.outside

X = {"x": Argument(np.asarray([1.0, -2.0]), "float64")}
FORWARD = "\ndef forward(x):\n    {}\n    return x * 2\n"

AT_LOADING = {
    "Python's own": "import math, typing, collections.abc, itertools, functools, dataclasses, fractions, cmath, __future__",
    "torch": "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor",
    "numpy": "import numpy as np\nfrom numpy.linalg import norm",
    "what torch requires": "import sympy, mpmath",
    "matplotlib": "import matplotlib.pyplot as plt",
    "a part of it": "from matplotlib import pyplot",
    "the test runner": "import pytest",
    "a file beside it": "import helper",
    "another exercise": "from softmax import forward as softmax",
    "nothing that exists": "import nosuchmodule",
    "relatively": "from . import helper",
    "as a script": 'if __name__ == "__main__":\n    import matplotlib.pyplot',
    "if it is there": "try:\n    import matplotlib\nexcept ImportError:\n    matplotlib = None",
}
IN_A_CALL = {
    "matplotlib": "import matplotlib.pyplot",
    "math": "import math",
    "a file beside it": "from helper import f",
}


@pytest.fixture(scope="module")
def lane():
    made = Lane(Bounds(call_s=6.0, submission_s=60.0))
    yield made
    made.stop()


def both(source, lane, folder, monkeypatch):
    """What the first call comes to here, and in a class."""
    for name in ("helper", "softmax"):
        (folder / f"{name}.py").write_text("def f(x):\n    return x\nforward = f\n")
    (folder / "relu.py").write_text(source)
    monkeypatch.syspath_prepend(str(folder))
    here = load_candidate(find_exercise("relu"), folder / "relu.py", "relu.py").call("forward", X)
    sandboxed = Sandboxed(lane, {"relu": ("relu.py", source.encode())})
    there = SandboxedCandidate("relu", sandboxed).call("forward", X)
    sandboxed.end()
    for name in ("helper", "softmax"):
        sys.modules.pop(name, None)
    return here, there


def told(outcome):
    return outcome.state, outcome.fault and (outcome.fault.kind, outcome.fault.text, outcome.fault.lines)


@pytest.mark.skipif(sys.platform != "linux", reason="what a worker may read is bounded by Landlock")
@pytest.mark.parametrize("name", AT_LOADING)
def test_what_a_file_imports_is_there_here_if_it_is_in_a_class(name, lane, tmp_path, monkeypatch):
    here, there = both(AT_LOADING[name] + FORWARD.format("pass"), lane, tmp_path, monkeypatch)
    assert told(here) == told(there)


@pytest.mark.skipif(sys.platform != "linux", reason="what a worker may read is bounded by Landlock")
@pytest.mark.parametrize("name", IN_A_CALL)
def test_what_a_function_imports_is_there_here_if_it_is_in_a_class(name, lane, tmp_path, monkeypatch):
    here, there = both(FORWARD.format(IN_A_CALL[name]), lane, tmp_path, monkeypatch)
    assert told(here) == told(there)


def test_a_module_that_is_not_there_is_named_with_what_to_do(tmp_path):
    (tmp_path / "relu.py").write_text("import matplotlib.pyplot as plt" + FORWARD.format("pass"))
    outcome = load_candidate(find_exercise("relu"), tmp_path / "relu.py").call("forward", X)
    assert outcome.state == "raised"
    for part in ("relu.py", "'matplotlib'", "torch and numpy", 'if __name__ == "__main__":'):
        assert part in outcome.fault.text
