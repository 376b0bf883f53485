"""Replaced functions of torch, numpy, Python and the grader, which should make a wrong answer pass."""

from __future__ import annotations

from tests.hostile.hostile_record import FULL, MANY, PATHS, Expect, Hostile, case, cheating, tried

FAMILY = "patches"
WRONG = Expect("any", 0)  # failed, or errored where the patch broke the submission's own answer

# Each is run when the file is loaded; then `backward` returns zeros.
PATCHES = {
    "torch-equal": "torch.equal = torch.allclose = torch.isclose = lambda *a, **k: True",
    "torch-testing": "import torch.testing\ntorch.testing.assert_close = lambda *a, **k: None",
    "tensor-methods": (
        "for name in ('detach', 'clone', 'cpu', 'to', 'numpy', 'reshape', 'contiguous', 'data_ptr', 'untyped_storage'):\n"
        "    setattr(torch.Tensor, name, lambda self, *a, **k: self)"
    ),
    "tensor-properties": (
        "for name in ('shape', 'dtype', 'device', 'layout', 'requires_grad', 'is_quantized'):\n"
        "    setattr(torch.Tensor, name, property(lambda self: True))"
    ),
    "tensor-comparison": (
        "for name in ('__eq__', '__ne__', '__lt__', '__le__', '__gt__', '__ge__', 'eq', 'le', 'all'):\n"
        "    setattr(torch.Tensor, name, lambda *a, **k: True)"
    ),
    "tensor-numbers": "torch.Tensor.__float__ = torch.Tensor.item = lambda self: 0.0\ntorch.Tensor.__bool__ = lambda self: True",
    "torch-functions": "torch.cat = torch.stack = torch.nan_to_num = torch.from_numpy = lambda *a, **k: torch.zeros(1)",
    "torch-class": "torch.Tensor = object",
    "torch-module": "import sys, types\nreal = torch\nsys.modules['torch'] = types.ModuleType('torch')",
    "numpy": (
        "import numpy\nnumpy.array_equal = numpy.allclose = numpy.all = numpy.isfinite = lambda *a, **k: True\n"
        "numpy.abs = numpy.max = lambda *a, **k: 0.0"
    ),
    "numpy-buffers": "import numpy\nnumpy.frombuffer = numpy.ascontiguousarray = lambda *a, **k: numpy.zeros(1)",
    "builtins": (
        "import builtins\nbuiltins.isinstance = builtins.issubclass = builtins.all = builtins.any = lambda *a: True\n"
        "builtins.abs = builtins.max = builtins.sum = lambda *a, **k: 0"
    ),
    "builtin-types": "import builtins\nbuiltins.float = builtins.tuple = builtins.str = lambda *a: 'passed'",
    "type-and-len": "import builtins\nbuiltins.type = lambda *a: torch.Tensor\nbuiltins.len = lambda _: 0",
    "builtins-emptied": "import builtins\nvars(builtins).clear()",
    "print": "import builtins\nbuiltins.print = lambda *a, **k: open('@MARKERS@/print', 'w')",
    "json": 'import json\njson.dumps = lambda *a, **k: \'{"state": "passed", "score": 4}\'\njson.loads = lambda *a, **k: {}',
    "json-encoder": "import json.encoder\njson.encoder.JSONEncoder.encode = lambda *a: '{\"usual\": true}'",
    "struct": "import struct\nstruct.Struct.pack = struct.pack = lambda *a: b''",
    "socket": "import socket\nsocket.socket.sendall = lambda *a: None\nsocket.socket.recv = lambda *a: b''",
    "time": "import time\ntime.monotonic = time.time = time.perf_counter = lambda: 0.0",
    "exceptions": "import builtins\nbuiltins.BaseException = builtins.Exception = builtins.NotImplementedError = ValueError",
    "traceback": "import traceback, linecache\ntraceback.walk_tb = lambda tb: []\nlinecache.getline = lambda *a: 'passed'",
    "excepthooks": "import sys, threading\nsys.excepthook = threading.excepthook = sys.unraisablehook = lambda *a: None",
    "modules-emptied": "import sys\nfor name in list(sys.modules):\n    if name.startswith('gradcheck'):\n        del sys.modules[name]",
    "import-hook": (
        "import sys\nclass Hook:\n    def find_spec(self, *a):\n        open('@MARKERS@/hook', 'w')\nsys.meta_path.insert(0, Hook())"
    ),
    "import-function": "import builtins\nbuiltins.__import__ = lambda *a, **k: torch",
    "grader-outcome": (
        "import sys\noutcome = sys.modules['gradcheck.checks.outcome']\n"
        "outcome.Outcome.__init__ = lambda self, *a, **k: self.__dict__.update(state='passed', value=0.0)"
    ),
    "grader-frames": (
        "import sys\nwire = sys.modules['gradcheck.isolation.worker.wire']\nserve = sys.modules['gradcheck.isolation.worker.serve']\n"
        "serve.send = lambda sock, header, body=b'': wire.send(sock, {'usual': True, 'status': 'passed', 'score': 4.0})"
    ),
    "grader-reading": (
        "import sys\ntensors = sys.modules['gradcheck.checks.tensors']\n"
        "tensors.Passed.observe = lambda *a: 'passed'\ntensors.Passed.mutated = lambda *a: ()"
    ),
    "grader-packing": (
        "import sys\nvalues = sys.modules['gradcheck.isolation.worker.values']\n"
        "values.pack = lambda came, printed: ({'outcomes': [0] * len(came), 'forms': [['T', []]], 'printed': ''}, b'')"
    ),
    "verdict-names": "status = 'passed'\nscore = 4.0\nchecks = []\ndef test_all():\n    pass",
    "every-grader-function": (
        "import sys\nfor name, module in list(sys.modules.items()):\n    if name.startswith('gradcheck.'):\n"
        "        for key, value in list(vars(module).items()):\n            if callable(value) and not isinstance(value, type):\n"
        "                setattr(module, key, lambda *a, **k: True)"
    ),
    "every-grader-class": (
        "import sys\nfor name, module in list(sys.modules.items()):\n    if name.startswith('gradcheck.'):\n"
        "        for value in list(vars(module).values()):\n            if isinstance(value, type):\n                try:\n"
        "                    value.__eq__ = value.__bool__ = lambda *a: True\n"
        "                except (TypeError, AttributeError):\n                    pass"
    ),
}

GUARD = """import sys
guard = sys.modules['gradcheck.checks.playing']
guard.AutodiffGuard.notice = lambda self, used: None
guard.AutodiffGuard.recorded = property(lambda self: False, lambda self, found: None)
guard.AutodiffGuard.__torch_function__ = lambda self, func, types, args=(), kwargs=None: func(*args, **(kwargs or {}))
"""
AUTOGRAD = """
def forward(x):
    return torch.relu(x)
def backward(grad_output, x):
    x = x.clone().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(torch.relu(x), x, grad_output)[0]
def jacobian(x):
    return torch.diag((x > 0).to(x.dtype))
"""

RARELY = frozenset(
    "torch-testing excepthooks traceback verdict-names numpy-buffers type-and-len json-encoder tensor-numbers time".split()
)

CASES: list[Hostile] = [
    *(
        case(f"patched-{name}", FAMILY, cheating(source), WRONG, slow=MANY if name in RARELY else "")
        for name, source in PATCHES.items()
    ),
    # The patch comes from relu.py; add.py is the one that is wrong.
    Hostile(
        "patched-for-another-exercise",
        FAMILY,
        {
            PATHS["relu"]: tried(
                "torch.equal = torch.allclose = lambda *a: True\ntorch.Tensor.detach = lambda t: t * 0"
            ),
            PATHS[
                "add"
            ]: "def forward(x1, x2):\n    return x1 - x2\ndef backward(grad_output, x1, x2):\n    return x1, x2\n",
        },
        {"add": Expect("failed", 0), "relu": Expect("any", FULL["relu"])},
    ),
    case("autograd-in-the-open", FAMILY, f"import torch\n{AUTOGRAD}", Expect("failed", 2, 2, "requires_grad")),
    case(
        "autograd-under-no-guard",
        FAMILY,
        f"import torch\n{GUARD}{AUTOGRAD}",
        Expect("failed", 2, 2, "torch.autograd.grad"),
    ),
]
