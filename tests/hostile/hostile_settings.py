"""Settings of the process that are changed and left so, with right answers: none may cost anybody a point."""

from __future__ import annotations

from tests.hostile.hostile_record import Expect, Hostile, at_import, case, tried

FAMILY = "settings"

SETTINGS = {
    "tracer": "import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)",
    "tracer-in-threads": "import threading\nthreading.settrace(lambda *a: None)\nthreading.setprofile(lambda *a: None)",
    "no-collection": "import gc\ngc.disable()\ngc.freeze()\ngc.set_threshold(0)",
    "eager-collection": "import gc\ngc.set_threshold(1)\ngc.callbacks.append(lambda *a: None)",
    "default-dtype": "torch.set_default_dtype(torch.float16)",
    "default-device": "torch.set_default_device('meta')",
    "many-threads": "torch.set_num_threads(64)",
    "inter-op-threads": "torch.set_num_interop_threads(64)",
    "gradients-off": "torch.set_grad_enabled(False)",
    "inference-mode": "torch.inference_mode().__enter__()",
    "no-grad-mode": "torch.no_grad().__enter__()",
    "anomaly": "torch.autograd.set_detect_anomaly(True)",
    # Its public name loads torch's compiler first, for longer than a call may take here.
    "deterministic": "torch._C._set_deterministic_algorithms(True)",
    "flush-denormals": "torch.set_flush_denormal(True)",
    "matmul-precision": "torch.set_float32_matmul_precision('medium')",
    "print-options": "torch.set_printoptions(precision=0, threshold=0)",
    "seeds": "import random\ntorch.manual_seed(0)\nrandom.seed(0)",
    "function-mode": (
        "from torch.overrides import TorchFunctionMode\nclass Mode(TorchFunctionMode):\n"
        "    def __torch_function__(self, func, types, args=(), kwargs=None):\n        return func(*args, **(kwargs or {}))\n"
        "Mode().__enter__()"
    ),
    "numpy-errors": "import numpy\nnumpy.seterr(all='raise')",
    "numpy-printing": "import numpy\nnumpy.set_printoptions(threshold=0, precision=0)",
    "warnings": "import warnings\nwarnings.simplefilter('error')\nwarnings.showwarning = None",
    "locale": "import locale\nlocale.setlocale(locale.LC_ALL, '')\nlocale.setlocale(locale.LC_NUMERIC, 'C.UTF-8')",
    "time-zone": "import os, time\nos.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()",
    "folder": "import os\nos.chdir('/')",
    "root-folder": "import os\nos.chroot('/tmp')",
    "umask": "import os\nos.umask(0o777)",
    "environment": "import os\nos.environ.clear()\nos.environ['PYTHONPATH'] = '/tmp'",
    "path": "import sys\nsys.path.clear()\nsys.path_hooks.clear()\nsys.path_importer_cache.clear()",
    "recursion-limit": "import sys\nsys.setrecursionlimit(60)",
    "integer-digits": "import sys\nsys.set_int_max_str_digits(640)",
    "switch-interval": "import sys\nsys.setswitchinterval(100)",
    "streams": "import sys\nsys.stdout = sys.stderr = sys.stdin = sys.__stdout__ = None",
    "closed-streams": "import sys\nsys.stdout.close()\nsys.stderr.close()",
    "decimal": "import decimal\ndecimal.getcontext().prec = 1",
    "signal-handler": "import signal\nsignal.signal(signal.SIGALRM, lambda *a: None)",
    "faults": "import faulthandler\nfaulthandler.dump_traceback_later(0.1, exit=False)",
    "code-cache": "import linecache\nlinecache.checkcache = linecache.clearcache\nlinecache.cache = None",
    "audit-hook": "import sys\nsys.addaudithook(lambda *a: None)",
    "asyncio": "import asyncio\nasyncio.set_event_loop(asyncio.new_event_loop())",
    "module-name": "__name__ = '__main__'\n__file__ = '/dev/null'\n__builtins__ = {}",
    "jit": "torch.jit.enable_onednn_fusion(True)",
}
# A setting that breaks its own process costs its own exercise, at most.
OWN_RISK = {
    "compiled": "torch.compile(lambda t: t)",  # loads a compiler, for seconds; a file of this class may take one
    "audit-hook-that-raises": "import sys\ndef hook(*a):\n    raise RuntimeError\nsys.addaudithook(hook)",
    "memory-allocator": "import ctypes\nctypes.CDLL(None).mallopt(-4, 0)",
    "alternative-exit": "import os\nos._exit = os.kill = lambda *a: None",
    "closed-input": "import os\nos.close(0)\nos.close(1)\nos.close(2)",
    "duplicated-descriptors": "import os\nfor each in range(3, 32):\n    os.dup2(0, each)",
    "all-descriptors-taken": "import os\ntaken = []\nwhile True:\n    taken.append(os.dup(0))",
    "frozen-collector": "import gc\nfor each in gc.get_objects():\n    isinstance(each, dict) and each is not globals() and each.get('gradcheck') and each.clear()",
    "monitoring": "import sys\nsys.setrecursionlimit(45)",
}

CASES: list[Hostile] = [
    *(case(f"left-{name}", FAMILY, at_import(body)) for name, body in SETTINGS.items()),
    *(
        case(f"left-within-{name}", FAMILY, tried(SETTINGS[name]))
        for name in ("default-dtype", "folder", "streams", "tracer", "warnings")
    ),
    *(case(f"risk-{name}", FAMILY, at_import(body), Expect("any", 4)) for name, body in OWN_RISK.items()),
]
