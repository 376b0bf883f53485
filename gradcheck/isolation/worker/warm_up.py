"""What a process does before workers are forked from it, so that none of them has to."""

from __future__ import annotations

import gc
import sys

from gradcheck.isolation.sandbox.manners import answer_ahead


def warm_up() -> None:
    """Load and do once all that a first call does: the libraries, autograd, reading a result. Then autograd goes.

    Raises RuntimeError where that fails: what cannot be done here could not be done for any submission.
    """
    answer_ahead()
    import numpy as np
    import torch

    import gradcheck.checks.playing
    import gradcheck.isolation.worker.serve  # noqa: F401
    from gradcheck.checks.outcome import Argument
    from gradcheck.grading.execute import execute
    from gradcheck.isolation.worker.no_autograd import without_autograd

    torch.set_num_threads(1)  # the tensors are small, and a pool of threads does not outlive a fork
    gc.set_threshold(50_000, 20, 20)
    sys.dont_write_bytecode = True
    source = b"import math, torch\nimport torch.nn.functional as F\ndef f(x):\n    return F.softmax(x @ x.T, -1).sum(0)"
    candidate = execute(source, "gradcheck_warm_up", "warm_up", "warm_up", 60.0)
    candidate.watched = False
    for dtype in ("float64", "float32"):
        outcome = candidate.call("f", {"x": Argument(np.eye(3), dtype)}, count=dtype == "float32")
        if outcome.state != "returned":
            raise RuntimeError(f"a first call {outcome.state}: {outcome.fault and outcome.fault.text}")
    ones = torch.ones(2, requires_grad=True)
    # By both doors: the first call of each imports hundreds of modules, which may be nobody's time (who has a Function
    # of their own may let the engine run it, and who asks for what is not there is to be told that, not "too slow").
    (ones * ones).sum().backward()  # type: ignore[no-untyped-call]
    torch.autograd.grad(ones * ones, ones, ones)
    sys.modules.pop("gradcheck_warm_up")
    without_autograd()
