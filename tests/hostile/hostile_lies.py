"""Results that are not what they say: subclasses, objects that equal everything, odd tensors, broken memory."""

from __future__ import annotations

from tests.hostile.hostile_record import MANY, PARTLY, Expect, Hostile, backward, case, cheating

FAMILY = "lies"
NOTHING = Expect("any", 0)  # nothing else is written
BACKWARD_LIES = Expect("any", PARTLY)

SUBCLASS = "class Liar(torch.Tensor):\n"
WRAPPED = "torch.zeros_like(x).as_subclass(Liar)"
ANYTHING = """class Anything:
    def __eq__(self, other):
        return True
    __le__ = __ge__ = __lt__ = __gt__ = __ne__ = __contains__ = __bool__ = __eq__
    __hash__ = object.__hash__
    def __getattr__(self, name):
        return Anything()
    def __call__(self, *a, **k):
        return Anything()
    def __float__(self):
        return 0.0
    def __len__(self):
        return 1
    def __array__(self, *a, **k):
        import numpy
        return numpy.zeros(1)
"""

# What it is made of, and what `backward` returns.
LIARS: dict[str, tuple[str, str]] = {
    "subclass-shape": (f"{SUBCLASS}    shape = property(lambda self: torch.Size((2, 3)))", WRAPPED),
    "subclass-dtype": (f"{SUBCLASS}    dtype = property(lambda self: torch.float64)", WRAPPED),
    "subclass-equality": (f"{SUBCLASS}    __eq__ = __le__ = lambda *a: True", WRAPPED),
    "subclass-function": (
        f"{SUBCLASS}    @classmethod\n    def __torch_function__(cls, func, types, args=(), kwargs=None):\n        return True",
        WRAPPED,
    ),
    "subclass-dispatch": (
        (
            f"{SUBCLASS}    @staticmethod\n    def __new__(cls, t):\n"
            "        return torch.Tensor._make_wrapper_subclass(cls, t.shape, dtype=t.dtype)\n"
            "    @classmethod\n    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):\n        return args[0]"
        ),
        "Liar(x)",
    ),
    "subclass-named-tensor": ("Liar = type('Tensor', (torch.Tensor,), {'__module__': 'torch'})", WRAPPED),
    "class-property": ("class Liar:\n    __class__ = property(lambda self: torch.Tensor)", "Liar()"),
    "metaclass": (
        (
            "class Meta(type(torch.Tensor)):\n    __eq__ = lambda *a: True\n    __hash__ = lambda self: hash(torch.Tensor)\n"
            "class Liar(torch.Tensor, metaclass=Meta):\n    pass"
        ),
        WRAPPED,
    ),
    "equals-everything": (ANYTHING, "Anything()"),
    "float-subclass": (
        "class Liar(float):\n    __eq__ = __le__ = __ge__ = lambda *a: True\n    __hash__ = None",
        "Liar(0)",
    ),
    "str-subclass": (
        "class Liar(str):\n    __eq__ = lambda *a: True\n    __getitem__ = lambda *a: a[0]",
        "Liar('passed')",
    ),
    "dict-subclass": ("class Liar(dict):\n    items = values = lambda self: iter([(1, 2)] * 9)", "Liar(x=x)"),
    "list-subclass": (
        "class Liar(list):\n    __len__ = lambda self: 1\n    __iter__ = lambda self: iter([None] * 10**6)",
        "Liar()",
    ),
    "generator": ("", "(each for each in [x, x])"),
    "endless-generator": ("import itertools", "itertools.repeat(x)"),
    "lazy": (
        "class Lazy:\n    def __torch_function__(self, *a):\n        return True\n    def __iter__(self):\n        return self",
        "Lazy()",
    ),
    "reduces": (
        "class Bomb:\n    def __reduce__(self):\n        return open, ('@MARKERS@/pickle', 'w')\n    __reduce_ex__ = lambda self, n: self.__reduce__()",
        "Bomb()",
    ),
    "tensor-with-reduce": (
        f"{SUBCLASS}    def __reduce_ex__(self, n):\n        return open, ('@MARKERS@/pickle', 'w')",
        WRAPPED,
    ),
    "object-array": ("import numpy", "numpy.array([open, x, 'passed'], dtype=object)"),
    "masked-array": ("import numpy", "numpy.ma.masked_all(tuple(x.shape))"),
    "module": ("", "torch"),
    "class": ("", "torch.Tensor"),
    "not-implemented": ("", "NotImplemented"),
    "ellipsis": ("", "..."),
    "exception": ("", "SystemExit(0)"),
    "verdict": ("", "{'status': 'passed', 'score': 4.0}"),
    "huge-integer": ("", "10 ** 400"),
    "long-text": ("", "'passed ' * 10_000_000"),
    "many-parts": ("", "[x] * 300_000"),
    "many-keys": ("", "dict.fromkeys(range(200_000), 1.0)"),
    "odd-keys": ("", "{(None, x): x, float('nan'): 1, '\\udcff': 2, -10 ** 5000: 3}"),
    "inside-itself": ("loop = []\nloop.append(loop)", "loop"),
    "deep": ("deep = []\nfor _ in range(100_000):\n    deep = [deep]", "deep"),
    "wide-and-deep": ("wide = 0.0\nfor _ in range(4):\n    wide = [wide] * 4000", "wide"),
    "complex": ("", "torch.zeros_like(x) * 1j"),
    "integer": ("", "torch.zeros_like(x).long()"),
    "boolean": ("", "torch.zeros_like(x).bool()"),
    "meta": ("", "torch.zeros_like(x, device='meta')"),
    "sparse": ("", "torch.zeros(2, 2).to_sparse()"),
    "quantized": ("", "torch.quantize_per_tensor(torch.zeros(2, 2), 1.0, 0, torch.qint8)"),
    "nested": ("", "torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])"),
    "named": ("", "torch.zeros(2, 2).refine_names('a', 'b')"),
    "parameter": ("", "torch.nn.Parameter(torch.zeros_like(x))"),
    "fake": ("from torch._subclasses import FakeTensorMode", "FakeTensorMode().from_tensor(x)"),
    "functional": ("", "torch.func.functionalize(lambda t: t)(torch.zeros_like(x))"),
    "nan": ("", "x * float('nan')"),
    "infinite": ("", "torch.full_like(x, float('inf'))"),
    "expanded": ("", "torch.zeros(1).expand(1 << 40)"),
    "expanded-twice": ("", "torch.zeros(1, 1).expand(1 << 20, 1 << 20)"),
    "many-axes": ("", "torch.zeros((1,) * 60)"),
    "empty": ("", "torch.zeros(0, 1 << 40, 1 << 20)"),
    "requires-grad": ("", "torch.zeros_like(x).requires_grad_()"),
    "negative-bit": ("", "torch._neg_view(torch.zeros_like(x))"),
    "freed-storage": ("def free(t):\n    t.untyped_storage().resize_(0)\n    return t", "free(torch.zeros_like(x))"),
    "null-memory": (
        "import ctypes\ndef null(n):\n    return torch.frombuffer((ctypes.c_double * n).from_address(8), dtype=torch.float64)",
        "null(x.numel()).reshape(x.shape)",
    ),
    "shared-memory": ("import mmap\nmemory = mmap.mmap(-1, 4096)", "torch.frombuffer(memory, dtype=torch.float64)"),
    "changing": (
        (
            "import threading, time\ndef changing(t):\n    def change():\n        for _ in range(2000):\n            t.add_(1)\n"
            "    threading.Thread(target=change, daemon=True).start()\n    return t"
        ),
        "changing(torch.zeros_like(x))",
    ),
}

RARELY = frozenset(
    """subclass-equality metaclass class ellipsis not-implemented exception module functional parameter boolean integer
    infinite many-keys many-parts list-subclass dict-subclass lazy expanded-twice nested sparse named""".split()
)

CASES: list[Hostile] = [
    *(
        case(f"lies-{name}", FAMILY, cheating(before, value), NOTHING, slow=MANY if name in RARELY else "")
        for name, (before, value) in LIARS.items()
    ),
    case(
        "lies-changed-arguments",  # makes the arguments fit the answer, instead of the answer the arguments
        FAMILY,
        backward("x.zero_()\ngrad_output.zero_()\nreturn torch.zeros_like(x)"),
        BACKWARD_LIES,
    ),
    case(
        "lies-changed-arguments-unseen",  # past the counter of changes, and put back before the end
        FAMILY,
        backward(
            "kept = x.data.clone()\nx.data.zero_()\nx.data.copy_(kept)\nx.set_(torch.zeros_like(x))\nreturn x * 0"
        ),
        BACKWARD_LIES,
    ),
    case("lies-resized-arguments", FAMILY, backward("x.resize_(1 << 20)\nreturn x"), BACKWARD_LIES),
    case(
        "lies-freed-arguments",
        FAMILY,
        backward("x.untyped_storage().resize_(0)\nreturn grad_output * 0"),
        BACKWARD_LIES,
    ),
    case(
        "lies-by-the-number-of-the-call",
        FAMILY,
        backward("calls.append(1)\nreturn grad_output * (x > 0) if len(calls) % 2 else grad_output", "calls = []"),
        BACKWARD_LIES,
    ),
]
