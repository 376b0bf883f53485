"""Automatic differentiation by detours: each finds relu's gradient where a process has autograd, and nothing in a worker.

Every source defines `found(grad_output, x)`. `WAYS` says what a learner is told; an empty word promises only that no
points come of it, since the source spells what it does in no words of autograd's.
"""

from __future__ import annotations

from tests.hostile.hostile_record import Expect, Hostile, case, cheating

FAMILY = "autograd"

PLAIN = """def plain(g, x):
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(torch.relu(x), x, g)[0]
"""
JOBS = """jobs, done = queue.Queue(), queue.Queue()
def work():
    for _ in range(100):
        try:
            done.put(plain(*jobs.get(timeout=20)))
        except Exception as error:
            done.put(None)
def found(g, x):
    jobs.put((g, x))
    return done.get(timeout=5)
"""

WAYS: dict[str, tuple[str, str]] = {
    # Where a function mode does not see.
    "a-thread-at-import": (
        f"import queue, threading\n{PLAIN}{JOBS}threading.Thread(target=work, daemon=True).start()\n",
        "torch.autograd.grad",
    ),
    "a-raw-thread": (
        f"import queue, _thread\n{PLAIN}{JOBS}_thread.start_new_thread(work, ())\n",
        "torch.autograd.grad",
    ),
    "a-thread-of-c": (
        f"""import ctypes
{PLAIN}kept = []
@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
def work(_):
    try:
        kept.append(plain(*kept[0]))
    except Exception:
        pass
def found(g, x):
    kept[:] = [(g, x)]
    library, thread = ctypes.CDLL(None), ctypes.c_ulong()
    library.pthread_create(ctypes.byref(thread), None, work, None)
    library.pthread_join(thread, None)
    return kept[1]
""",
        "torch.autograd.grad",
    ),
    "jit-fork": (
        (
            "def found(g, x):\n    x = x.clone().requires_grad_()\n    y = torch.jit._wait(torch.jit._fork(torch.relu, x))\n"
            "    return torch.autograd.grad(y, x, g)[0]\n"
        ),
        "torch.autograd.grad",
    ),
    "an-item-of-a-tensor": (
        """class Row:
    def __init__(self, g, x):
        self.g, self.x = g, x
    def __len__(self):
        return 1
    def __getitem__(self, place):
        if place:
            raise IndexError
        self.came = torch.ops.aten.threshold_backward(self.g, self.x, 0)
        return 0.0
def found(g, x):
    row = Row(g, x)
    torch.tensor(row)
    return row.came
""",
        "threshold_backward",
    ),
    "a-distance": (
        f"""{PLAIN}def found(g, x):
    came = []
    def distance(a, b):
        came.append(plain(g, x))
        return a
    torch.nn.functional.triplet_margin_with_distance_loss(x, x, x, distance_function=distance)
    return came[0]
""",
        "torch.autograd.grad",
    ),
    "a-torch-function": (
        f"""{PLAIN}class Asks:
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return plain(*args[0].pair)
def found(g, x):
    asks = Asks()
    asks.pair = g, x
    return torch.exp(asks)
""",
        "torch.autograd.grad",
    ),
    "a-kernel-of-a-library": (
        f"""{PLAIN}own = torch.library.Library("own_kernels", "DEF")
own.define("f(Tensor g, Tensor x) -> Tensor")
own.impl("f", plain, "CompositeExplicitAutograd")
def found(g, x):
    return torch.ops.own_kernels.f(g, x)
""",
        "torch.autograd.grad",
    ),
    "traced-at-import": (
        """from torch.fx.experimental.proxy_tensor import make_fx
def traced(g, x):
    return torch.func.vjp(torch.relu, x)[1](g)[0]
graph = make_fx(traced)(torch.ones(2, 3), torch.ones(2, 3))
def found(g, x):
    return graph(g, x)
""",
        "torch.func.vjp",
    ),
    "a-kept-switch": (
        f"switch = torch._C.DisableTorchFunction\n{PLAIN}def found(g, x):\n    with switch():\n        return plain(g, x)\n",
        "torch.autograd.grad",
    ),
    "a-module-without-a-dict": (f"__dict__ = 0\n{PLAIN}found = plain\n", "torch.autograd.grad"),
    "spelt-in-pieces": (
        """def found(g, x):
    return getattr(getattr(torch, "fu" + "nc"), "v" + "jp")(torch.relu, x)[1](g)[0]
""",
        "",
    ),
    # Every public way.
    "func-grad": (
        "def found(g, x):\n    return torch.func.grad(lambda z: (torch.relu(z) * g).sum())(x)\n",
        "torch.func.grad",
    ),
    "func-vjp": ("def found(g, x):\n    return torch.func.vjp(torch.relu, x)[1](g)[0]\n", "torch.func.vjp"),
    "func-jvp": (
        "def found(g, x):\n    return g * torch.func.jvp(torch.relu, (x,), (torch.ones_like(x),))[1]\n",
        "torch.func.jvp",
    ),
    "func-jacrev": (
        "def found(g, x):\n    j = torch.func.jacrev(torch.relu)(x.reshape(-1))\n    return (g.reshape(-1) @ j).reshape(x.shape)\n",
        "torch.func.jacrev",
    ),
    "func-jacfwd": (
        "def found(g, x):\n    j = torch.func.jacfwd(torch.relu)(x.reshape(-1))\n    return (g.reshape(-1) @ j).reshape(x.shape)\n",
        "torch.func.jacfwd",
    ),
    "func-linearize": (
        "def found(g, x):\n    return g * torch.func.linearize(torch.relu, x)[1](torch.ones_like(x))\n",
        "torch.func.linearize",
    ),
    "functional-vjp": (
        "from torch.autograd.functional import vjp\ndef found(g, x):\n    return vjp(torch.relu, x, g)[1]\n",
        "torch.autograd.functional.vjp",
    ),
    "a-backward-call": (
        "def found(g, x):\n    x = x.clone().requires_grad_()\n    torch.relu(x).backward(g)\n    return x.grad\n",
        "requires_grad",
    ),
    "dual-numbers": (
        (
            "import torch.autograd.forward_ad as ad\ndef found(g, x):\n    with ad.dual_level():\n"
            "        y = torch.relu(ad.make_dual(x, torch.ones_like(x)))\n        return g * ad.unpack_dual(y).tangent\n"
        ),
        "make_dual",
    ),
    "dual-numbers-by-overload": (
        """def found(g, x):
    level = torch._C._enter_dual_level()
    y = torch.relu(torch.ops.aten._make_dual.default(x, torch.ones_like(x), level))
    return g * torch.ops.aten._unpack_dual.default(y, level)[1]
""",
        "forward_ad",
    ),
    # TorchScript, and its executor before the present one, which has formulas of its own.
    "script": (
        (
            "f = torch.jit.CompilationUnit('def f(x):\\n  return torch.relu(x) * 1.0\\n').f\n"
            "def found(g, x):\n    x = x.clone().requires_grad_()\n    for _ in range(4):\n        y = f(x)\n"
            "    return torch.autograd.grad(y, x, g)[0]\n"
        ),
        "torch.autograd.grad",
    ),
    "the-old-executor": (
        """def f(x):
    return torch.relu(x) * 1.0
def found(g, x):
    torch._C._jit_set_profiling_executor(False)
    traced = torch.jit.trace(f, x)
    x = x.clone().requires_grad_()
    return torch.autograd.grad(traced(x), x, g)[0]
""",
        "torch.autograd.grad",
    ),
    "the-old-executor-by-gc": (
        """import gc
def f(x):
    return torch.relu(x) * 1.0
def found(g, x):
    for each in gc.get_objects():
        if isinstance(each, dict) and "_jit_set_profiling_executor" in each:
            each["_jit_set_profiling_executor"](False)
    traced = torch.jit.trace(f, x)
    x = x.clone().requires_grad_()
    return torch.autograd.grad(traced(x), x, g)[0]
""",
        "torch.autograd.grad",
    ),
    "torch-loaded-again": (
        """import importlib.util
def again():
    spec = importlib.util.spec_from_file_location("other._C", torch._C.__file__)
    return importlib.util.module_from_spec(spec)
def f(x):
    return torch.relu(x) * 1.0
def found(g, x):
    again()._jit_set_profiling_executor(False)
    traced = torch.jit.trace(f, x)
    x = x.clone().requires_grad_()
    return torch.autograd.grad(traced(x), x, g)[0]
""",
        "torch.autograd.grad",
    ),
    "a-graph-differentiated": (
        """def f(x):
    return torch.relu(x) * 1.0
def found(g, x):
    made = torch._C._jit_differentiate(torch.jit.trace(f, x).graph.copy())
    y, *kept = torch._C._create_function_from_graph("f", made.f)(x)
    back = torch._C._create_function_from_graph("df", made.df)
    for more in ([], [x], [y], [x, y], [y, x], kept):
        try:
            return back(g, *more)
        except Exception:
            pass
""",
        "",
    ),
    # The dispatcher: kernels asked for by key, registered again, or what hides them taken away.
    "a-kernel-by-key": (
        """key = torch._C.DispatchKey.Autograd
def found(g, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(torch.ops.aten.relu.default._op_dk(key, x), x, g)[0]
""",
        "torch.autograd.grad",
    ),
    "a-kernel-registered-again": (
        f"""again = torch.library.Library("aten", "IMPL")
def kernel(x):
    return torch.ops.aten.relu.default._op_dk(torch._C.DispatchKey.Autograd, x)
again.impl("relu", kernel, "AutogradCPU")
again.impl("relu", torch.library.fallthrough_kernel, "Autograd")
again._destroy()
{PLAIN}found = plain
""",
        "torch.autograd.grad",
    ),
    "the-registrations-by-gc": (
        f"""import gc
for each in gc.get_objects():
    kind = type(each).__name__
    if kind == "Library" and each.ns == "aten":
        each._destroy()
    elif kind == "_DispatchModule":
        each.reset()
    for held in gc.get_referents(each):
        if type(held).__name__ == "_DispatchModule":
            held.reset()
{PLAIN}found = plain
""",
        "torch.autograd.grad",
    ),
    "sparse": (
        """def found(g, x):
    s = x.to_sparse().requires_grad_()
    y = torch.relu(s)
    return torch.autograd.grad(y, s, g.to_sparse())[0].to_dense()
""",
        "torch.autograd.grad",
    ),
    "mkldnn": (
        (
            "def found(g, x):\n    s = x.float().to_mkldnn().requires_grad_()\n"
            "    return torch.autograd.grad(torch.relu(s).to_dense(), s, g.float())[0].to_dense().to(x.dtype)\n"
        ),
        "torch.autograd.grad",
    ),
    "nested": (
        (
            "def found(g, x):\n    s = torch.nested.nested_tensor([*x], requires_grad=True)\n    y = torch.relu(s)\n"
            "    return torch.autograd.grad(y, s, torch.nested.nested_tensor([*g]))[0].to_padded_tensor(0.0)\n"
        ),
        "torch.autograd.grad",
    ),
    "compiled": (
        (
            "@torch.compile(backend='aot_eager')\ndef f(x):\n    return torch.relu(x)\n"
            "def found(g, x):\n    x = x.clone().requires_grad_()\n    return torch.autograd.grad(f(x), x, g)[0]\n"
        ),
        "torch.autograd.grad",
    ),
    # torch's own backward formulas.
    "formula-by-overload": (
        "def found(g, x):\n    return torch.ops.aten.threshold_backward.default(g, x, 0)\n",
        "threshold_backward",
    ),
    "formula-below-the-dispatcher": (
        (
            "keys = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)\n"
            "def found(g, x):\n    return torch.ops.aten.threshold_backward.default.redispatch(keys, g, x, 0)\n"
        ),
        "threshold_backward",
    ),
    "formula-into-a-buffer": (
        "def found(g, x):\n    return torch.ops.aten.threshold_backward.grad_input(g, x, 0, grad_input=torch.empty_like(x))\n",
        "threshold_backward",
    ),
    "formula-as-a-kernel": (
        (
            "def found(g, x):\n    return torch.library.get_kernel('aten::threshold_backward', 'CPU').call_boxed("
            "torch._C.DispatchKeySet(torch._C.DispatchKey.CPU), g, x, 0)\n"
        ),
        "",
    ),
    "formula-in-torchscript": (
        """graph = torch._C.parse_ir('''graph(%g : Tensor, %x : Tensor):
  %t : int = prim::Constant[value=0]()
  %y : Tensor = aten::threshold_backward(%g, %x, %t)
  return (%y)''')
f = torch._C._create_function_from_graph("f", graph)
def found(g, x):
    return f(g, x)
""",
        "",
    ),
    "formula-in-python": (
        (
            "from torch._decomp import decomposition_table as table\n"
            "def found(g, x):\n    return table[torch.ops.aten.threshold_backward.default](g, x, 0)\n"
        ),
        "threshold_backward",
    ),
    "formula-of-a-function": (
        "def found(g, x):\n    return torch._decomp.decompositions.threshold_backward(g, x, 0)\n",
        "threshold_backward",
    ),
}

LONG = ("func-linearize", "compiled")
"""They load torch's compiler, and a call of this class has a second: some are told that they took too long."""
CRASHING = ("torch-loaded-again",)
"""A second copy of torch's library may crash its process: then that is what is told."""

CASES: list[Hostile] = [
    case(
        f"autograd-by-{name.replace(chr(39), '')}",
        FAMILY,
        cheating(source, "found(grad_output, x)"),
        Expect("failed", 0, 0, word) if word and name not in (*LONG, *CRASHING) else Expect("any", 0, 0),
    )
    for name, (source, word) in WAYS.items()
]
