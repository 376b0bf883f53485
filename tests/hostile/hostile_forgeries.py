"""Replies that a submission writes itself, past the worker's own code, into whatever socket it finds."""

from __future__ import annotations

from tests.hostile.hostile_record import MANY, PATHS, Expect, Hostile, case, cheating

FAMILY = "forgeries"
WRONG = Expect("any", 0)

SOCKETS = """import json, os, stat, struct, sys, threading, time
def sockets():
    found = []
    for each in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(each).st_mode):
                found.append(each)
        except OSError:
            pass
    return found
def frame(header, body=b''):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack('>II', len(text), len(body)) + text + body
def write(*frames):
    for each in sockets():
        for one in frames:
            try:
                os.set_blocking(each, False)
                os.write(each, one)
            except OSError:
                pass
            finally:
                os.set_blocking(each, True)
def outcome(value, printed='', **more):
    row = {'state': 'returned', 'value': value, 'fault': None, 'mutated': [], 'refused': '', 'recorded': False,
           'advanced': [], 'operations': 0, 'generators': [], 'elsewhere': False, 'unwritten': None, **more}
    return {'outcomes': [row], 'forms': [], 'printed': printed}
def forms(count, form):
    return {'outcomes': [0] * count, 'forms': [form], 'printed': ''}
def deep(levels):
    return ['T', [deep(levels - 1)] if levels else []]
def tensor(shape, kind='f', dtype='float64'):
    return ['R', shape, dtype, 'cpu', kind, [], '']
"""
FRAMES = {
    "verdict": "frame({'status': 'passed', 'score': 4.0, 'max_score': 4.0})",
    "report": "frame({'schema': 'gradcheck/report/v1', 'submission': 'x', 'score': 11.0, 'exercises': []})",
    "forms": "frame(forms(1, tensor([2])), bytes(16))",
    "forms-thrice": "*[frame(forms(3, tensor([2])), bytes(48))] * 3",
    "forms-of-all": "*[frame(forms(count, tensor([2, 3])), bytes(48 * count)) for count in range(300, 500)]",
    "forms-nonsense": (
        "frame({'outcomes': [0, 10**12, -5, None, True, 1.0], 'forms': [tensor([-1]), tensor([1 << 62]), 'x', 3], "
        "'printed': ''}, bytes(8))"
    ),
    "forms-too-many": "frame(forms(1, tensor([1] * 9)) | {'forms': [tensor([2])] * 4000}, bytes(16))",
    "returned": "frame(outcome(tensor([2])), bytes(16))",
    "many": "*[frame(outcome(tensor([2])), bytes(16))] * 200",
    "half": "frame(outcome(['F', 0.0]))[:20]",
    "one-byte": "b'\\0'",
    "empty-frame": "struct.pack('>II', 0, 0)",
    "four-gigabytes": "b'\\xff' * 8",
    "long-header": "struct.pack('>II', 1 << 30, 0)",
    "long-body": "struct.pack('>II', 2, 1 << 30) + b'{}'",
    "garbage": "os.urandom(4096)",
    "no-object": "frame(b'[1, 2, 3]')",
    "no-json": "frame(b'{' * 1000)",
    "deep-json": "frame(b'[' * 100_000)",
    "huge-number": "frame(b'{\"state\": ' + b'9' * 100_000 + b'}')",
    "not-utf-8": 'frame(b\'{"state": "\\xff\\xfe"}\')',
    "pickle": "frame(b'\\x80\\x04cbuiltins\\neval\\n.')",
    "unknown-state": "frame(outcome(['F', 0.0], state='passed'))",
    "states-of-other-types": "frame(outcome(['F', 0.0], state=['returned'], mutated='x', operations=True, recorded=1))",
    "object-dtype": "frame(outcome(tensor([2], 'O')), bytes(16))",
    "unhashable-kind": "frame(outcome(tensor([2], ['f'])), bytes(16))",
    "negative-shape": "frame(outcome(tensor([-1, -2])), bytes(16))",
    "too-much-memory": "frame(outcome(tensor([1 << 26] * 16)))",
    "empty-but-huge": "frame(outcome(tensor([0] + [1 << 26] * 15)))",
    "no-data-but-huge": "frame(outcome(tensor([1 << 26] * 16, None)))",
    "short-body": "frame(outcome(tensor([2, 3])), bytes(8))",
    "deep-value": "frame(outcome(deep(9)))",
    "node-without-parts": "frame(outcome(['T']))",
    "empty-node": "frame(outcome([]))",
    "unknown-node": "frame(outcome(['Z', 1]))",
    "foreign-of-numbers": "frame(outcome(['X', 1, 2]))",
    "many-parts": "frame(outcome(['T', [['F', 0.0]] * 5000]))",
    "odd-keys": "frame(outcome(['D', [[[1], ['F', 0.0]], [None, ['F', 0.0]]]]))",
    "number-beyond-floats": "frame(outcome(['F', 10 ** 400]))",
    "not-a-number": "frame(outcome(['F', float('nan')], operations=10 ** 300))",
    "fault-of-numbers": "frame(outcome(['F', 0.0], state='raised', fault=[1, 2, 3, 4]))",
    "fault-of-markup": (
        "frame(outcome(['F', 0.0], state='raised', fault=['<script>alert(1)</script>', '::error::=cmd()\\x1b[2J', "
        "['|x|', '\\udcff'], []], printed='\\x1b[2J' * 900))"
    ),
}

RARELY = frozenset(
    """forms-thrice one-byte no-object long-header not-utf-8 unknown-node empty-node foreign-of-numbers short-body
    negative-shape object-dtype report""".split()
)

CASES: list[Hostile] = [
    *(
        case(
            f"forged-{name}",
            FAMILY,
            cheating(
                f"{SOCKETS}def found(x):\n    write({frames})\n    return x * 0\nfound(torch.ones(2))\n", "found(x)"
            ),
            WRONG,
            slow=MANY if name in RARELY else "",
        )
        for name, frames in FRAMES.items()
    ),
    case(
        "forged-on-import",
        FAMILY,
        cheating(f"{SOCKETS}write({FRAMES['forms']}, {FRAMES['returned']}, {FRAMES['verdict']})"),
        WRONG,
    ),
    case(
        "forged-in-a-thread",  # goes on writing replies while other exercises are asked
        FAMILY,
        cheating(
            f"{SOCKETS}def later():\n    for _ in range(300):\n        time.sleep(0.01)\n        write({FRAMES['returned']})\n"
            "threading.Thread(target=later, daemon=True).start()"
        ),
        WRONG,
    ),
    case(
        "forged-flood",
        FAMILY,
        cheating(
            f"{SOCKETS}def found(x):\n    for _ in range(100):\n        write(os.urandom(65536))\n    return x * 0\n",
            "found(x)",
        ),
        WRONG,
    ),
    case(
        "forged-socket-closed",
        FAMILY,
        cheating(
            f"{SOCKETS}def found(x):\n    for each in sockets():\n        os.close(each)\n    return x * 0\n",
            "found(x)",
        ),
        WRONG,
    ),
    case(
        "forged-socket-read",  # takes the judge's next request away, and waits
        FAMILY,
        cheating(
            f"{SOCKETS}def steal():\n    for each in sockets():\n        os.set_blocking(each, True)\n        os.read(each, 1 << 20)\n"
            "threading.Thread(target=steal, daemon=True).start()"
        ),
        WRONG,
    ),
    case(
        "forged-socket-half-closed",
        FAMILY,
        cheating(
            f"{SOCKETS}import socket\nfor each in sockets():\n    socket.socket(fileno=os.dup(each)).shutdown(socket.SHUT_WR)"
        ),
        WRONG,
    ),
    case(
        "forged-exit-with-a-verdict",
        FAMILY,
        cheating(f"{SOCKETS}write({FRAMES['forms']}, {FRAMES['verdict']})\nos._exit(0)"),
        WRONG,
    ),
    # A judge that believed a reply for one exercise to be about another would pay for it here.
    Hostile(
        "forged-for-another-exercise",
        FAMILY,
        {
            PATHS["relu"]: cheating(f"{SOCKETS}write({FRAMES['forms']}, {FRAMES['forms']}, {FRAMES['forms-of-all']})"),
            PATHS[
                "add"
            ]: "def forward(x1, x2):\n    return x1 * 0\ndef backward(grad_output, x1, x2):\n    return x1, x2\n",
        },
        {"relu": WRONG, "add": Expect("any", 0)},
    ),
]
