"""What a hostile submission would try, each harmless where it succeeds: bounded, on loopback, undone at once.

An attack returns True where it succeeded, and returns False or raises where it was refused. Its guards are the layers
of which each one alone must be enough.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import resource
import signal
import socket
import sys
import sysconfig
import termios
import threading
import zlib
from pathlib import Path

from gradcheck.isolation.sandbox.kernel import numbers

REPOSITORY = Path(__file__).resolve().parents[3]
PACKAGES = Path(sysconfig.get_path("purelib"))
ATTACKS = {}
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_COLUMN = ["x86_64", "aarch64"].index(platform.machine())


def attack(*guards, root=False):
    def register(function):
        ATTACKS[function.__name__] = (function, guards, root)
        return function

    return register


def syscall(number, *arguments):
    """Its result, or minus the error's number."""
    if isinstance(number, tuple):
        number = number[_COLUMN]
    result = _libc.syscall(ctypes.c_long(number), *(ctypes.c_long(word) for word in arguments))
    return -ctypes.get_errno() if result == -1 else result


def answered(number, *arguments):
    """Whether the kernel looked at the call at all, be it only to say that its arguments make no sense."""
    return syscall(number, *arguments) not in {-errno.EPERM, -errno.EACCES, -errno.ENOSYS}


# Processes.


@attack("seccomp")
def fork(_place):
    if child := os.fork():
        os.waitpid(child, 0)
    else:
        os._exit(0)
    return True


@attack("seccomp")
def raw_clone(_place):
    child = syscall(numbers(platform.machine())["clone"], int(signal.SIGCHLD), 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    return child > 0


@attack("seccomp")
def clone_sharing_memory_but_no_thread(_place):
    # CLONE_VM alone would share the stack; the kernel refuses CLONE_SIGHAND without CLONE_VM before anything happens.
    return syscall(numbers(platform.machine())["clone"], 0x800, 0, 0, 0, 0) == -errno.EINVAL


@attack("seccomp", "Landlock")
def run_a_program(_place):
    os.execv("/bin/true", ["/bin/true"])


@attack("processes")
def thread_bomb(_place):
    done = threading.Event()
    try:
        for _ in range(160):
            threading.Thread(target=done.wait, daemon=True).start()
    finally:
        done.set()
    return True


@attack("seccomp")
def trace_me(_place):
    return syscall((101, 117), 0, 0, 0, 0) == 0


@attack("seccomp")
def read_memory_of_a_process(_place):
    return answered((310, 270), os.getpid(), 0, 0, 0, 0, 0)


@attack("seccomp", "Landlock", "other user")
def signal_the_parent(_place):
    os.kill(os.getppid(), 0)
    return True


@attack("seccomp")
def signal_the_own_group(_place):
    signal.signal(signal.SIGUSR1, lambda *_: None)
    os.killpg(0, signal.SIGUSR1)
    return True


@attack("seccomp", "other user")
def limits_of_the_parent(_place):
    resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)
    return True


@attack("seccomp")
def outlive_the_parent(_place):
    return syscall((157, 167), 1, 0, 0, 0, 0) == 0  # PR_SET_PDEATHSIG


@attack("seccomp")
def become_readable(_place):
    return syscall((157, 167), 4, 1, 0, 0, 0) == 0  # PR_SET_DUMPABLE


@attack("seccomp")
def pid_descriptor(_place):
    os.close(os.pidfd_open(os.getpid()))
    return True


@attack("seccomp")
def choose_processors(_place):
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    return True


@attack("seccomp")
def signals_of_a_file_to_the_parent(_place):
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    return True


# The network.


@attack("seccomp")
def datagram_socket(_place):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    return True


@attack("seccomp", "Landlock")
def listen_on_loopback(_place):
    with socket.create_server(("127.0.0.1", 0)):
        return True


@attack("seccomp", "Landlock", "network namespace")
def connect_on_loopback(_place):
    with socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), timeout=5):
        return True


@attack("seccomp", "Landlock", "network namespace")
def abstract_socket(place):
    with socket.socket(socket.AF_UNIX) as there:
        there.connect(f"\0gradcheck {zlib.crc32(str(place).encode())}")
    return True


@attack("seccomp")
def pass_a_descriptor(_place):
    # The socket is no socket: that is found out only by a kernel that is let to look.
    return answered((46, 211), 0, 0, 0)


# Files.


@attack("Landlock", "other user", root=True)
def read_shadow(_place):
    return bool(Path("/etc/shadow").read_bytes())


@attack("Landlock")
def read_solutions(_place):
    return bool(list(Path(REPOSITORY, "solutions").iterdir()))


@attack("Landlock")
def read_gradcheck(_place):
    return bool(Path(REPOSITORY, "gradcheck", "errors.py").read_bytes())


@attack("Landlock")
def read_this_file(_place):
    return bool(Path(__file__).read_bytes())


@attack("Landlock", "mount namespace", "other user")
def read_another_submission(place):
    return bool((place / "private").read_bytes())


@attack("mount namespace")
def size_of_another_submission(place):
    return (place / "private").stat().st_size > 0


@attack("mount namespace")
def who_else_is_there(place):
    # As one guesses names, where they cannot be listed.
    return any((place / name).exists() for name in ("ada", "private"))


@attack("Landlock", "mount namespace")
def names_of_the_class(place):
    return bool(list(place.parent.iterdir()))


@attack("mount namespace")
def size_of_a_solution(_place):
    return os.lstat(REPOSITORY / "solutions" / "04_modules" / "relu.py").st_size > 0


@attack("mount namespace")
def when_the_grader_was_changed(_place):
    return Path(REPOSITORY, "gradcheck", "errors.py").stat().st_mtime > 0


@attack("mount namespace")
def what_else_is_installed(_place):
    # The folder may be listed for imports to find what is in it.
    return any(each.name.startswith("gradcheck") for each in PACKAGES.iterdir())


@attack("Landlock", "mount namespace")
def packages_of_another_python(_place):
    folders = [*Path(sys.base_prefix, "lib").glob("python3*/*-packages"), *Path("/usr/lib").glob("python3*/*-packages")]
    return any(list(folder.iterdir()) for folder in folders if folder != PACKAGES)


@attack("Landlock", "mount namespace", "other user", root=True)
def memory_of_the_parent(_place):
    os.close(os.open(f"/proc/{os.getppid()}/mem", os.O_RDWR))
    return True


@attack("Landlock", "mount namespace", "other user")
def environment_of_the_parent(_place):
    return bool(Path(f"/proc/{os.getppid()}/environ").read_bytes())


@attack("Landlock", "seccomp", "mount namespace")
def create_a_file(place):
    path = place / "open" / f"new-{os.getpid()}"
    path.touch()
    path.unlink()
    return True


@attack("Landlock", "seccomp", "mount namespace")
def create_a_folder(place):
    path = place / "open" / f"new-{os.getpid()}"
    path.mkdir()
    path.rmdir()
    return True


@attack("Landlock", "seccomp", "mount namespace", "file size")
def write_to_a_file(place):
    (place / "open" / "file").write_text("x")
    return True


@attack("Landlock", "seccomp", "mount namespace")
def truncate_a_file(place):
    os.truncate(place / "open" / "file", 0)
    return True


@attack("seccomp", "mount namespace")
def change_a_mode(place):
    (place / "open" / "file").chmod(0o666)
    return True


@attack("Landlock", "seccomp", "mount namespace")
def make_a_pipe_on_disk(place):
    path = place / "open" / f"pipe-{os.getpid()}"
    os.mkfifo(path)
    path.unlink()
    return True


@attack("file size", "seccomp")
def grow_a_memory_file(_place):
    return os.write(os.memfd_create("grow"), b"x") == 1


@attack("seccomp")
def unchecked_opening(_place):
    return answered((437, 437), -100, 0, 0, 24)  # openat2, whose flags a filter cannot see


# Memory.


@attack("address space")
def six_gigabytes(_place):
    mmap.mmap(-1, 6 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000).close()  # MAP_NORESERVE: untouched
    return True


@attack("seccomp")
def shared_memory(_place):
    return answered((29, 194), 0, 0, 0)


@attack("seccomp")
def memory_file(_place):
    os.close(os.memfd_create("file"))
    return True


# Rights.


@attack("seccomp", "other user", root=True)
def become_root(_place):
    os.setuid(0)
    return True


@attack("seccomp", "other user", "capabilities", root=True)
def become_another(_place):
    os.setuid(12345)
    return True


@attack("seccomp", "other user", "capabilities", root=True)
def leave_the_namespace(_place):
    return syscall((272, 97), 0x04000000) == 0  # CLONE_NEWUTS


@attack("seccomp", "other user", "capabilities", root=True)
def change_the_root(_place):
    os.chroot("/")
    return True


@attack("seccomp", "other user", "capabilities", "Landlock", root=True)
def mount_a_disk(place):
    target = ctypes.c_char_p(os.fsencode(place / "open"))
    if _libc.mount(b"none", target, b"tmpfs", 0, None):
        raise OSError(ctypes.get_errno(), "mount")
    _libc.umount2(target, 2)
    return True


@attack("seccomp", "other user", "capabilities", root=True)
def call_the_host_something_else(_place):
    socket.sethostname(socket.gethostname())
    return True


# Calls that a submission has no use for. With arguments that make no sense, so that nothing comes of them.

UNUSED_CALLS = {
    "io_uring_setup": ((425, 425), 0, 0),
    "bpf": ((321, 280), -1, 0, 0),
    "keyctl": ((250, 219), 0, -3, 0),
    "personality": ((135, 92), 0xFFFFFFFF),
    "shmat": ((30, 196), -1, 0, 0),
    "setns": ((308, 268), -1, 0),
    "name_to_handle_at": ((303, 264), -1, 0, 0, 0, 0),
    "process_vm_writev": ((311, 271), os.getpid(), 0, 0, 0, 0, 0),
    "rt_sigqueueinfo": ((129, 138), os.getpid(), 0, 0),
    "pipe2": ((293, 59), 0, -1),
    "inotify_init1": ((294, 26), -1),
    "setpgid": ((109, 154), 0, -1),
    "kcmp": ((312, 272), os.getpid(), os.getpid(), 99, 0, 0),
}
for _name, _call in UNUSED_CALLS.items():
    ATTACKS[_name] = (lambda _place, _call=_call: answered(*_call), ("seccomp",), False)

if sys.platform == "linux" and platform.machine() == "x86_64":

    @attack("seccomp")
    def call_of_the_x32_kind(_place):
        return syscall(0x40000000 | 39) != -errno.EPERM

    @attack("seccomp")
    def call_of_the_i386_kind(_place):
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20 (getpid); int 0x80; ret
        address = ctypes.addressof(ctypes.c_char.from_buffer(code))
        return ctypes.CFUNCTYPE(ctypes.c_int)(address)() == os.getpid()


@attack("seccomp")
def type_for_the_user(_place):
    try:
        fcntl.ioctl(0, termios.TIOCSTI, b"\n")
    except OSError as error:
        return error.errno == errno.ENOTTY  # /dev/null is no terminal, and was asked
    return True
