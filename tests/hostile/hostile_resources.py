"""Memory, disk, output and the network."""

from __future__ import annotations

from tests.hostile.hostile_record import PARTLY, Expect, Hostile, at_import, backward, case, errored, tried

MEMORY = "memory"
OUT_OF_MEMORY = errored("", PARTLY)
# Zeros that nobody writes to are address space only; what is written to stays below 1 GiB.
ALLOCATIONS = {
    "zeros": "big = torch.zeros(6 << 30, dtype=torch.uint8)\nbig[: 1 << 29] = 1",
    "list-growth": "kept = []\nfor _ in range(96):\n    kept.append(bytearray(64 << 20))",
    "one-bytearray": "big = bytearray(6 << 30)",
    "map": "import mmap\nbig = mmap.mmap(-1, 6 << 30)",
    "storage": "big = torch.UntypedStorage(6 << 30)",
    "numpy": "import numpy\nbig = numpy.zeros(6 << 27)",
    "in-c": "import ctypes\nif not ctypes.CDLL(None).calloc(6, 1 << 30):\n    raise MemoryError",
}

DISK = "disk"
HOMES = "import os, pathlib, tempfile\n"
WRITING = {
    "write-markers": "open('@MARKERS@/disk', 'w').write('x')",
    "write-tmp": "open('/tmp/gradcheck-hostile-marker', 'w').write('x' * 1_000_000)",
    "write-var-tmp": "open('/var/tmp/gradcheck-hostile-marker', 'w').write('x')",
    "write-shared-memory": "open('/dev/shm/gradcheck-hostile-marker', 'w').write('x')",
    "write-home": "(pathlib.Path.home() / 'gradcheck-hostile-marker').write_text('x')",
    "write-here": "open('gradcheck-hostile-marker', 'w').write('x')",
    "write-beside-itself": "open(os.path.join(os.path.dirname(__file__), 'gradcheck-hostile-marker'), 'w')",
    "temporary-file": "tempfile.NamedTemporaryFile(dir='@MARKERS@', delete=False).write(b'x')",
    "sparse-file": "open('@MARKERS@/sparse', 'wb').truncate(100 << 20)",
    "make-folder": "os.mkdir('@MARKERS@/folder')",
    "make-link": "os.symlink('/etc/passwd', '@MARKERS@/link')",
    "make-fifo": "os.mkfifo('@MARKERS@/fifo')",
    "link-a-victim": "os.link('@VICTIMS@/kept', '@MARKERS@/hard')",
    "delete-a-victim": "os.remove('@VICTIMS@/kept')",
    "empty-a-victim": "open('@VICTIMS@/kept', 'w').close()",
    "truncate-a-victim": "os.truncate('@VICTIMS@/kept', 0)",
    "rename-a-victim": "os.rename('@VICTIMS@/kept', '@MARKERS@/renamed')",
    "change-a-victim's-mode": "os.chmod('@VICTIMS@/kept', 0o777)",
    "change-a-victim's-time": "os.utime('@VICTIMS@/kept', (1, 1))",
    "change-another-submission": "open('@CLASS_FOLDER@/zz-honest/exercises/04_modules/relu.py', 'a').write('x = (')",
    "write-a-report": "os.makedirs('@OUT@/reports', exist_ok=True)\nopen('@OUT@/reports/gradcheck-hostile-marker', 'w')",
    "write-the-package": "open('@PACKAGE@/gradcheck_hostile_marker.py', 'w').write('x = 1')",
    "message-queue": "import ctypes\nctypes.CDLL(None).msgget(0x6772, 0o1600)",
}

OUTPUT = "output"
LOUD = "hostile-output"
PRINTING = {
    "print": f"print('{LOUD}' * 8_000_000 if calls.append(1) is None and len(calls) == 1 else '')",
    "print-lines": f"for _ in range(100_000 if calls.append(1) is None and len(calls) == 1 else 0):\n    print('{LOUD}')",
    "descriptor-1": f"import os\nfor _ in range(2_000):\n    os.write(1, b'{LOUD}' * 4_000)",
    "descriptor-2": f"import os\nfor _ in range(2_000):\n    os.write(2, b'{LOUD}' * 4_000)",
    "original-stdout": f"import sys\nsys.__stdout__.write('{LOUD}' * 100_000)\nsys.__stdout__.flush()",
    "original-stderr": f"import sys\nsys.__stderr__.write('{LOUD}' * 100_000)\nsys.__stderr__.flush()",
    "in-c": f"import ctypes\nlibc = ctypes.CDLL(None)\nlibc.puts(b'{LOUD}')\nlibc.fflush(None)",
    "logging": f"import logging\nlogging.basicConfig(level=0)\nlogging.error('{LOUD}')",
    "terminal": f"open('/dev/tty', 'w').write('{LOUD}')",
    "workflow-command": f"print('::error::{LOUD}')\nprint('\\x1b]0;{LOUD}\\x07\\x1b[2J')",
    "every-descriptor": (
        "import os, stat\nfor each in range(3, 64):\n    try:\n"
        "        stat.S_ISSOCK(os.fstat(each).st_mode) or os.write(each, b'"
        + LOUD
        + "')\n    except OSError:\n        pass"
    ),
}
RAISING = {
    "raise-a-long-text": "raise ValueError('" + LOUD + "' * 1_000_000)",
    "raise-control-codes": "raise ValueError('\\x1b[2J\\udcff\\x00::error::=cmd()|<script>alert(1)</script>')",
}

NETWORK = "network"
CONNECT = "import socket\n"
TALKING = {
    "connect": "socket.create_connection(('127.0.0.1', @PORT@), 1).send(b'answers?')",
    "connect-6": "socket.create_connection(('::1', @PORT@), 1)",
    "web-request": "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:@PORT@/', timeout=1)",
    "datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'answers?', ('127.0.0.1', @PORT@))",
    "listen": "socket.create_server(('127.0.0.1', 0)).close()",
    "abstract-name": "socket.socket(socket.AF_UNIX).connect('\\0gradcheck-hostile')",
    "resolve": "socket.getaddrinfo('localhost', 80)",
    "raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
    "in-c": (
        "import ctypes, struct\nlibc = ctypes.CDLL(None)\n"
        "address = struct.pack('=HHI8x', 2, socket.htons(@PORT@), struct.unpack('=I', bytes((127, 0, 0, 1)))[0])\n"
        "libc.connect(libc.socket(2, 1, 0), address, 16)"
    ),
}

CASES: list[Hostile] = [
    *(
        case(f"memory-{name}", MEMORY, backward(body + "\nraise MemoryError"), OUT_OF_MEMORY)
        for name, body in ALLOCATIONS.items()
    ),
    *(case(f"memory-caught-{name}", MEMORY, tried(ALLOCATIONS[name])) for name in ("zeros", "one-bytearray")),
    case("memory-on-import", MEMORY, at_import("kept = torch.zeros(6 << 30, dtype=torch.uint8)")),
    *(case(f"disk-{name}", DISK, tried(body, HOMES)) for name, body in WRITING.items()),
    *(case(f"output-{name}", OUTPUT, tried(body, "calls = []")) for name, body in PRINTING.items()),
    *(case(f"output-{name}", OUTPUT, backward(body), Expect("errored", PARTLY)) for name, body in RAISING.items()),
    *(case(f"network-{name}", NETWORK, tried(body, CONNECT)) for name, body in TALKING.items()),
]
