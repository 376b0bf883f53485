"""Sources that a parser, a compiler or a reader of text could break on."""

from __future__ import annotations

from tests.hostile.hostile_record import RELU, Expect, Hostile, backward, case

FAMILY = "sources"
UNREADABLE = Expect("errored", 0)

BROKEN: dict[str, str | bytes] = {
    "parentheses": f"x = {'(' * 100_000}1{')' * 100_000}\n",
    "nested-lists": f"x = {'[' * 100_000}{']' * 100_000}\n",
    "open-brackets": "[" * 500_000,
    "unary-minus": f"x = {'-' * 100_000}1\n",
    "unary-not": f"x = {'not ' * 100_000}1\n",
    "attributes": f"x = torch{'.a' * 100_000}\n",
    "subscripts": f"x = 1\ny = x{'[0]' * 100_000}\n",
    "calls": f"x = f{'()' * 100_000}\n",
    "powers": f"x = {'1**' * 50_000}1\n",
    "nested-if": "".join(f"{' ' * n}if x:\n" for n in range(99)) + f"{' ' * 99}x = 1\n" + "if 1:\n" * 20,
    "nested-def": "".join(f"{' ' * n}def f():\n" for n in range(1_000)) + f"{' ' * 1_000}pass\n",
    "nested-functions": "x = " + "lambda: " * 100_000 + "1\n",
    "nested-f-strings": "x = " + "f'{" * 10_000 + "1" + "}'" * 10_000 + "\n",
    "nested-comprehensions": f"x = {'[a for a in ' * 5_000}[]{']' * 5_000}\n",
    "else-chain": "x = 0\n" + "if x:\n    pass\n" + "elif x:\n    pass\n" * 20_000 + "raise ValueError\n",
    "concatenation": f"x = {'1 + ' * 100_000}1\n" + "raise ValueError\n",
    "huge-integer": f"x = {'9' * 900_000}\n",
    "huge-integer-in-hexadecimal": f"x = 0x{'f' * 900_000}\nraise ValueError\n",
    "constant-folding": "x = ((((1 << 1000) ** 1000) ** 1000) ** 1000)\n",
    "folded-text": "x = 'x' * 4096 * 4096 * 4096 * 4096\n",
    "50-megabytes": b"#" * (50 << 20),
    "just-too-long": RELU.encode() + b"#" * 1_000_000,
    "null-bytes": RELU.encode().replace(b"torch", b"tor\0ch", 1),
    "only-null-bytes": bytes(4096),
    "not-utf-8": b"word = 'caf\xe9'\n",
    "utf-16": RELU.encode("utf-16"),
    "utf-7": b"# -*- coding: utf-7 -*-\n+AGkAbQBwAG8AcgB0-\n",
    "unknown-coding": b"# -*- coding: nosuch -*-\n",
    "coding-of-code": b"# -*- coding: rot13 -*-\nvzcbeg bf\n",
    "lone-surrogates": b"x = '\xed\xa0\x80'\n",
    "random": bytes((n * n * 7919 + n * 31) % 256 for n in range(4096)),
    "an-archive": b"PK\x03\x04" + bytes(60),
    "a-pickle": b"cos\nsystem\n(S'touch /tmp/gradcheck-hostile-marker'\ntR.",
    "mixed-indentation": "if 1:\n\tx = 1\n        y = 2\n    z = 3\n",
    "terminal-codes": "\x1b[2J\x1b]0;owned\x07 = 1\n",
    "markup": "<script>alert(1)</script> = '=cmd()|::error::'\n",
}
RIGHT: dict[str, str | bytes] = {
    "byte-order-mark": b"\xef\xbb\xbf" + RELU.encode(),
    "windows-lines": RELU.replace("\n", "\r\n"),
    "old-mac-lines": RELU.replace("\n", "\r"),
    "form-feeds": "\f" + RELU.replace("\ndef", "\n\f\ndef"),
    "long-comment": RELU + "#" * 900_000,
    "many-lines": RELU + "\n" * 900_000,
    "many-names": RELU + "".join(f"name_{n} = {n}\n" for n in range(20_000)),
    "latin-1-declared": b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + RELU.encode(),
    "bidirectional": "# \u202e\u2066 return 0 \u2069\n" + RELU,
    "look-alikes": RELU + "r\u0435lu = backw\u0430rd = None\n",
    "a-class-that-is-a-tensor-in-name": RELU + "class Tensor:\n    pass\n",
    "future": "from __future__ import annotations\n" + RELU,
    "main": RELU + "if __name__ == '__main__':\n    raise SystemExit\n",
}
UNFINISHED: dict[str, str | bytes] = {
    "stub": RELU.replace("    return", "    raise NotImplementedError\n    return"),
    "stub-on-import": "raise NotImplementedError\n",
}

CASES: list[Hostile] = [
    *(case(f"source-{name}", FAMILY, source, UNREADABLE) for name, source in BROKEN.items()),
    *(case(f"source-{name}", FAMILY, source) for name, source in RIGHT.items()),
    *(
        case(f"source-{name}", FAMILY, source, Expect("errored", 0, 0, "raise NotImplementedError"))
        for name, source in UNFINISHED.items()
    ),
    case("source-empty", FAMILY, b"", Expect("failed", 0, 0, "there is no function")),
    case("source-only-a-comment", FAMILY, "# all checks passed\n", Expect("failed", 0, 0, "there is no function")),
    case("source-async", FAMILY, backward("return x").replace("def backward", "async def backward"), Expect("any", 2)),
    case("source-generator", FAMILY, backward("yield x"), Expect("any", 2)),
    case(
        "source-many-parameters",
        FAMILY,
        backward("return x").replace("(grad_output, x)", "(*a, **k)"),
        Expect("errored", 2),
    ),
]
