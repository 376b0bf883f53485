"""The filter's program, run by a small interpreter: so that the other architecture's is tested as well."""

from __future__ import annotations

import errno
import struct
from pathlib import Path

import pytest

from gradcheck.isolation.sandbox.kernel import ARCHITECTURES, numbers
from gradcheck.isolation.sandbox.seccomp import OWN_PID, build, rules

ALLOWED = 0x7FFF0000
REFUSED = 0x00050000 | errno.EPERM
ABSENT = 0x00050000 | errno.ENOSYS
KILLED = 0x80000000
PID = 4711


def decide(program, architecture, number, *arguments):
    """What the kernel would do: struct seccomp_data is number, architecture, instruction pointer, six arguments."""
    words = [word & 0xFFFFFFFFFFFFFFFF for word in (*arguments, *[0] * (6 - len(arguments)))]
    data = struct.pack("=iIQ6Q", number, architecture, 0, *words)
    place, value = 0, 0
    while True:
        code, yes, no, constant = program[place]
        constant = PID if constant == OWN_PID else constant
        place += 1
        if code == 0x20:
            (value,) = struct.unpack_from("=I", data, constant)
        elif code == 0x54:
            value &= constant
        elif code == 0x05:
            place += constant
        elif code == 0x15:
            place += yes if value == constant else no
        elif code == 0x35:
            place += yes if value >= constant else no
        elif code == 0x06:
            return constant
        else:
            pytest.fail(f"unknown instruction {code:#x}")


@pytest.fixture(params=ARCHITECTURES)
def machine(request):
    return request.param


@pytest.fixture
def ask(machine):
    program = build(machine, read_only=False)
    number = numbers(machine)
    return lambda name, *arguments: decide(program, ARCHITECTURES[machine], number[name], *arguments)


def test_every_number_has_its_answer(machine):
    program = build(machine, read_only=False)
    number = numbers(machine)
    free = {number[name] for name, checks in rules(read_only=False).items() if not checks and name in number}
    checked = {number[name] for name, checks in rules(read_only=False).items() if checks and name in number}
    absent = {number["clone3"], number["openat2"]}
    junk = [0xDEADBEEFDEADBEEF] * 6
    for each in range(600):
        expected = ALLOWED if each in free else ABSENT if each in absent else REFUSED
        assert decide(program, ARCHITECTURES[machine], each, *junk) == expected, each
    assert len(free) > 60
    assert len(checked) >= 7


def test_the_other_architecture_ends_the_process(machine):
    program = build(machine, read_only=False)
    for other in (*ARCHITECTURES.values(), 0x40000003, 0x40000028):  # i386, 32-bit ARM
        if other != ARCHITECTURES[machine]:
            assert decide(program, other, numbers(machine)["read"]) == KILLED


def test_calls_of_the_x32_kind(machine):
    program = build(machine, read_only=False)
    for number in (0x40000000, 0x40000000 | numbers(machine)["read"], -1, -(2**31)):
        assert decide(program, ARCHITECTURES[machine], number) == REFUSED


def test_jumps_stay_within_the_program(machine):
    for read_only in (False, True):
        program = build(machine, read_only=read_only)
        assert len(program) < 4096
        for place, (code, yes, no, constant) in enumerate(program):
            if code in {0x15, 0x35}:
                assert 0 <= yes < 256
                assert 0 <= no < 256
                assert place + 1 + max(yes, no) < len(program)
            elif code == 0x05:
                assert place + 1 + constant < len(program)
        assert program[-1][0] == 0x06


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        (0x3D0F00, ALLOWED),  # as the C library makes a thread
        (17, REFUSED),  # a fork: SIGCHLD
        (0x01200011, REFUSED),  # a fork as the C library makes one
        (0x4111, REFUSED),  # vfork
        (0x3D0F00 | 0x10000000, REFUSED),  # in a new user namespace
        (0x3D0F00 | 0x80, REFUSED),  # in a new time namespace
        (0x10000, REFUSED),
        (0x900, REFUSED),
    ],
)
def test_only_threads_are_cloned(ask, flags, answer):
    assert ask("clone", flags) == answer


@pytest.mark.parametrize("name", ["kill", "tgkill"])
def test_signals_reach_only_the_process_itself(ask, name):
    assert ask(name, PID, 9) == ALLOWED
    for other in (1, 0, -1, -PID, PID + 1):
        assert ask(name, other, 9) == REFUSED


def test_limits_of_the_process_itself(ask):
    assert ask("prlimit64", 0, 7) == ask("prlimit64", PID, 7) == ALLOWED
    assert ask("prlimit64", 1, 7) == REFUSED


def test_answers_go_to_the_socket_and_to_no_address(ask):
    assert ask("sendto", 3, 0, 0, 0, 0, 0) == ALLOWED
    assert ask("sendto", 3, 0, 0, 0, 1, 16) == ask("sendto", 3, 0, 0, 0, 1 << 32, 16) == REFUSED


def test_names_but_no_death_signal(ask):
    assert ask("prctl", 15) == ALLOWED
    for option in (1, 4, 22, 38, 47):
        assert ask("prctl", option) == REFUSED
    assert ask("fcntl", 0, 3) == ALLOWED
    assert ask("fcntl", 0, 8) == REFUSED
    assert ask("ioctl", 0, 0x5401) == ALLOWED
    assert ask("ioctl", 0, 0x5412) == REFUSED


@pytest.mark.parametrize("flags", [0o1, 0o2, 0o100, 0o1000, 0o20200000])
def test_nothing_is_opened_for_writing_where_no_landlock_looks(machine, flags):
    program = build(machine, read_only=True)
    number = numbers(machine)
    for name, before in (("open", 1), ("openat", 2)):
        if name in number:
            assert decide(program, ARCHITECTURES[machine], number[name], *[0] * before, flags) == REFUSED
            assert decide(program, ARCHITECTURES[machine], number[name], *[0] * before, 0o2000000) == ALLOWED


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def test_numbers_are_the_kernels(machine):
    if not HEADERS[machine].exists():
        pytest.skip("no kernel headers")
    known = {}
    for line in HEADERS[machine].read_text().splitlines():
        words = line.split()
        if len(words) == 3 and words[1].startswith("__NR") and words[2].isdigit():
            known.setdefault(words[1].replace("__NR3264_", "__NR_").removeprefix("__NR_"), int(words[2]))
    for name, number in numbers(machine).items():
        assert known.get(name, number) == number, name
