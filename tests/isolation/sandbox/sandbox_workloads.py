"""What an honest submission does, none of which may be refused. Each returns True."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

WORKLOADS = {}


def workload(function):
    WORKLOADS[function.__name__] = function
    return function


def raises(kind, function, *arguments):
    try:
        function(*arguments)
    except kind:
        return True
    return False


@workload
def matrix_products(_place):
    import torch

    return all(
        torch.allclose(a @ a.inverse(), torch.eye(200, dtype=dtype), atol=1e-2)
        for dtype in (torch.float32, torch.float64)
        for a in [torch.randn(200, 200, dtype=dtype) + 30 * torch.eye(200, dtype=dtype)]
    )


@workload
def linear_algebra(_place):
    import torch

    a = torch.randn(20, 20, dtype=torch.float64)
    u, s, v = torch.linalg.svd(a)
    torch.linalg.eigvals(a)
    torch.linalg.qr(a)
    torch.linalg.cholesky(a @ a.T + torch.eye(20, dtype=torch.float64))
    return torch.allclose(u @ torch.diag(s) @ v, a)


@workload
def convolutions(_place):
    import torch

    x = torch.randn(4, 3, 64, requires_grad=True)
    torch.conv1d(x, torch.randn(8, 3, 5)).sum().backward()
    torch.conv2d(torch.randn(2, 3, 32, 32), torch.randn(8, 3, 3, 3))
    return x.grad.shape == x.shape


@workload
def softmax_and_friends(_place):
    import torch.nn.functional as F

    x = F.torch.randn(8, 16, requires_grad=True)
    loss = F.cross_entropy(F.gelu(F.layer_norm(F.log_softmax(F.softmax(x, 1), 1), (16,))), F.torch.arange(8))
    loss.backward()
    return bool(x.grad.isfinite().all())


@workload
def half_precisions(_place):
    import torch

    return all((torch.randn(64, 64).to(d) @ torch.randn(64, 64).to(d)).dtype == d for d in (torch.bfloat16, torch.half))


@workload
def networks(_place):
    import torch

    net = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.LSTM(8, 4))
    net[0](torch.randn(3, 8)).sum().backward()
    torch.optim.Adam(net[0].parameters()).step()
    return True


@workload
def generators(_place):
    import torch

    one, other = (torch.randn(3, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    torch.manual_seed(0)
    torch.seed()
    return bool((one == other).all())


@workload
def first_vmap(_place):
    import torch

    jacobian = torch.func.jacrev(torch.func.vmap(torch.sin))(torch.zeros(3))
    return torch.equal(jacobian, torch.eye(3))


@workload
def autograd_functional(_place):
    import torch

    torch.autograd.functional.jacobian(torch.tanh, torch.zeros(3))
    x = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    return torch.autograd.gradcheck(torch.tanh, (x,))


@workload
def compared(_place):
    import torch

    torch.testing.assert_close(torch.ones(3), torch.ones(3))
    return "tensor" in repr(torch.ones(3))


@workload
def numpy_and_back(_place):
    import numpy as np
    import torch

    a = np.linalg.inv(np.eye(50) * 2)
    np.linalg.svd(np.random.default_rng(0).normal(size=(80, 80)) @ a[:1, :1].repeat(80, 0).repeat(80, 1))
    np.fft.fft(np.arange(8))
    return torch.from_numpy(a).numpy() is not None and np.einsum("ij,jk->ik", a, a).shape == (50, 50)


@workload
def more_threads_for_torch(_place):
    import torch

    torch.set_num_threads(2)  # its workers start here, in the child: the parent never had any
    return (torch.randn(600, 600) @ torch.randn(600, 600)).shape == (600, 600)


@workload
def threads(_place):
    seen = []
    each = [threading.Thread(target=seen.append, args=(number,)) for number in range(8)]
    for thread in each:
        thread.start()
    for thread in each:
        thread.join()
    return sorted(seen) == list(range(8))


@workload
def a_pool_of_threads(_place):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(abs, range(4))) == [0, 1, 2, 3]


@workload
def standard_library(_place):
    import array
    import collections
    import copy
    import csv
    import dataclasses
    import decimal
    import enum
    import fractions
    import functools
    import hashlib
    import heapq
    import inspect
    import io
    import itertools
    import json
    import logging
    import operator
    import pickle
    import pprint
    import random
    import re
    import secrets
    import statistics
    import string
    import struct
    import textwrap
    import typing
    import uuid
    import warnings

    random.seed()
    used = [array, collections, copy, csv, dataclasses, enum, functools, heapq, inspect, io, itertools, logging]
    used += [operator, pprint, re, secrets, statistics, string, struct, textwrap, typing, uuid, warnings]
    used += [decimal.Decimal(2).sqrt(), fractions.Fraction(1, 3), hashlib.sha256(b"").digest()]
    return json.loads(json.dumps([1])) == [1] and pickle.loads(pickle.dumps((1,))) == (1,)


@workload
def packages_that_may_be_there(_place):
    import importlib.metadata
    import importlib.util

    # Both are installed. Neither torch nor numpy requires them.
    absent = importlib.util.find_spec("hypothesis") is None and raises(ImportError, __import__, "_pytest.fixtures")
    return absent and importlib.metadata.version("numpy")


@workload
def rarely_imported(_place):
    # Not in sys.modules yet, so that the finder lists folders and reads files through the walls.
    import colorsys
    import wave

    import mpmath
    import sympy.combinatorics.polyhedron
    import torch.distributions.von_mises

    used = [colorsys, wave, sympy.combinatorics.polyhedron, torch.distributions.von_mises]
    return all(used) and mpmath.mpf(1) == 1


@workload
def time_zones(_place):
    import datetime as dt
    import zoneinfo

    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    time.localtime()
    dt.datetime.now().astimezone()
    return dt.datetime(2024, 7, 1, tzinfo=zone).utcoffset() == dt.timedelta(hours=2)


@workload
def times(_place):
    start = time.perf_counter()
    time.sleep(0.01)
    return (
        time.perf_counter() - start >= 0.01 and time.time() > 0 and time.process_time() > 0 and time.thread_time() >= 0
    )


@workload
def the_null_device(_place):
    with open(os.devnull, "w") as null:  # noqa: PTH123 - as people write
        print("x", file=null, flush=True)
    with open(os.devnull) as null:  # noqa: PTH123
        return null.read() == ""


@workload
def printing(_place):
    print("x", flush=True)
    print("x", file=sys.stderr, flush=True)
    return input if raises(EOFError, input) else False


@workload
def warnings_are_given(_place):
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("careful")
    return len(caught) == 1


@workload
def temporary_files_fail_cleanly(_place):
    import tempfile

    return raises(OSError, tempfile.TemporaryFile) and raises(OSError, tempfile.mkdtemp)


@workload
def files_of_the_system_are_refused_cleanly(_place):
    return raises(OSError, Path("/etc/passwd").read_text) and raises(OSError, os.listdir, "/root")


@workload
def tracebacks_with_source(_place):
    import fractions
    import traceback

    try:
        fractions.Fraction("no number")
    except ValueError:
        return "raise ValueError('Invalid literal" in traceback.format_exc()
    return False


@workload
def deep_recursion(_place):
    def deeper(n):
        return deeper(n + 1)

    return raises(RecursionError, deeper, 0)


@workload
def too_much_memory(_place):
    import torch

    # 6 GiB, which is a clean error and leaves the process in order.
    return raises(RuntimeError, lambda: torch.ones(6 << 28)) and bool(torch.ones(3).sum() == 3)


@workload
def too_many_open_files(_place):
    files = []
    try:
        for _ in range(200):
            files.append(open(os.devnull))  # noqa: PTH123
    except OSError:
        return 40 < len(files) < 64
    finally:
        for file in files:
            file.close()
    return False


@workload
def signals_to_itself(_place):
    seen = []
    signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.raise_signal(signal.SIGUSR1)
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
    signal.signal(signal.SIGALRM, lambda number, _: seen.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(0.1)
    return len(seen) == 4


@workload
def its_own_limits(_place):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    resource.prlimit(os.getpid(), resource.RLIMIT_AS)
    resource.getrusage(resource.RUSAGE_SELF)
    return hard == 2 << 30 and raises(ValueError, resource.setrlimit, resource.RLIMIT_AS, (hard, hard + 1))


@workload
def questions_about_itself(_place):
    import platform

    os.getcwd()
    os.cpu_count()
    platform.platform()
    os.uname()
    os.environ.get("HOME")
    Path("~").expanduser()
    return os.getpid() > 0 and os.isatty(0) is False and len(os.urandom(8)) == 8


@workload
def inspected_source(_place):
    import inspect

    return "def vmap" in inspect.getsource(__import__("torch").func.vmap)


@workload
def asked_for_what_it_was_kept_from(_place):
    import subprocess

    return raises(OSError, subprocess.run, ["true"]) and raises(OSError, os.fork) and os.getppid() >= 0


FEW = {name: WORKLOADS[name] for name in ("networks", "generators", "threads", "standard_library", "the_null_device")}
ENDS = {}


def end(function):
    ENDS[function.__name__] = function
    return function


@end
def aborts(_place):
    os.abort()


@end
def crashes(_place):
    import ctypes

    ctypes.string_at(0)


@end
def computes_for_ever(_place):
    for number in (signal.SIGXCPU, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, lambda *_: None)
    while True:
        pass
