"""Grade one submission on Classroom 50. Made by `gradcheck bundle classroom50`; docs/classroom50.md describes it.

The host runs this file with the submission's checkout as working directory. It installs the grader that lies beside it
into a virtual environment outside the checkout, lets it grade in a sandbox, and puts result.json and release-body.md
into the checkout last of all, over whatever the submission left under these names. It ends with status 0 then. Where
the grader itself fails, on an exercise or altogether, there is no result, and the status is 3: no release is published,
because the gradebook would take it for 0 points, and the run fails with the reason in its log. As grade.py it serves
declarative tests instead: each is a command of tests.json, which keeps the host from publishing in the same case.

Standard library only, Python 3.11 to 3.14. GRADCHECK_VENV may name a virtual environment, made beforehand, that holds
the grader already (for self-hosted runners); nothing is installed then.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

BUNDLE = Path(__file__).resolve().parent
SCHEMA = "classroom50/result/v1"
UNGRADED = 3
"""The status where there is no result."""
NOT_PASSED = 10
"""Of a declarative test whose function is not right. No other failure ends with it: not Python's own, nor a shell's."""
LIMIT_S = 780.0
"""For everything: 13 minutes, because the host ends the job after 15."""
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
FUNCTIONS = BUNDLE / "functions.json"
"""Where the declarative tests find what became of each function."""
ASSURANCE = "Nothing is lost: the instructor grades this commit again, and that grade decides."

IDENTITY = ("CLASSROOM", "ASSIGNMENT", "SUBMISSION_TAG", "COMMIT_URL", "RELEASE_URL", "REVIEW_URL", "OWNER")
EVERYWHERE = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "SYSTEMROOT", "COMSPEC", "PATHEXT")
INSTALLING = (
    *("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
)


class Trouble(Exception):
    """The submission could not be graded: one sentence on why, and the end of what the failed command printed."""

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.details = details


def main() -> int:
    """What the host wants to know is in result.json, and the status says whether there is one."""
    parser = argparse.ArgumentParser(description="Grade the submission in the working directory.")
    parser.add_argument("--limit", type=float, default=LIMIT_S, metavar="SECONDS", help="for everything")
    parser.add_argument("--functions", action="store_true", help="keep the outcomes for --function; write no result")
    parser.add_argument(
        "--function", metavar="NAME", help="print the outcome of relu.backward, say; 0: it passed, 10: not"
    )
    options = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if options.function:
        return outcome_of(options.function)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stopped)
    checkout = Path.cwd()
    try:
        FUNCTIONS.unlink(missing_ok=True)
        files = graded(checkout, options.limit)
    except BaseException as error:  # the host has to be told of every kind of failure
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)  # what is left takes milliseconds
        trouble = error if isinstance(error, Trouble) else Trouble(f"it ended with {type(error).__name__}: {error}")
        say(f"NOT GRADED: the grader itself failed, which is no fault of this submission. {ASSURANCE}")
        say(f"{trouble}\n{trouble.details}")
        if not options.functions:
            withdraw(checkout)
        return UNGRADED
    if options.functions:
        put(FUNCTIONS, files["functions.json"])
        return 0
    try:
        put(checkout / "result.json", files["result.json"])
        put(checkout / "release-body.md", files["release-body.md"])
    except OSError as error:
        say(f"NOT GRADED: the result cannot be written: {error}. {ASSURANCE}")
        withdraw(checkout)
        return UNGRADED
    return 0


def graded(checkout: Path, limit: float) -> dict[str, str]:
    """The grader's files by name. Raises Trouble."""
    deadline = time.monotonic() + limit
    work = work_folder(checkout)
    try:
        python = grader(work, deadline)
        out = work / "out"
        say("grading")
        command = [str(python), "-I", "-m", "gradcheck", "host", "classroom50", "--checkout", str(checkout)]
        command += ["--course", str(BUNDLE / "course.toml"), "--out", str(out)]
        environment = chosen((*EVERYWHERE, *IDENTITY)) | {"HOME": str(work), "TMPDIR": str(work)}
        say(run(command, "grading", work, environment, deadline))
        files = {name: (out / name).read_text("utf-8") for name in ("result.json", "release-body.md", "functions.json")}
        result = json.loads(files["result.json"])
        if result["schema"] != SCHEMA or result["score"] != sum(int(each["score"]) for each in result["tests"]):
            raise Trouble("the grader's result does not add up")
        return files
    finally:
        shutil.rmtree(work, ignore_errors=True)  # first of all: a full disk then has room for the result


def work_folder(checkout: Path) -> Path:
    """A new folder outside the checkout, where no submission's file can pass for one of pip's."""
    for place in (os.environ.get("RUNNER_TEMP"), tempfile.gettempdir(), str(BUNDLE)):
        with suppress(OSError):
            if place and not Path(place).resolve().is_relative_to(checkout.resolve()):
                return Path(tempfile.mkdtemp(prefix="gradcheck-", dir=place)).resolve()
    raise Trouble("there is no folder for temporary files outside the checkout")


def grader(work: Path, deadline: float) -> Path:
    """The interpreter that has the grader: of GRADCHECK_VENV, or else of a new environment. Raises Trouble."""
    wheels = sorted(BUNDLE.glob("gradcheck-*.whl"))
    if len(wheels) != 1:
        raise Trouble("the bundle holds no grader; make it again with gradcheck bundle classroom50")
    plain = chosen(EVERYWHERE) | {"TMPDIR": str(work)}
    kept = os.environ.get("GRADCHECK_VENV", "")
    if kept:
        python, version = python_of(Path(kept)), wheels[0].name.split("-")[1]
        asking = [str(python), "-I", "-c", "import gradcheck; print(gradcheck.__version__)"]
        try:
            if run(asking, "asking for the grader's version", work, plain, deadline).strip() == version:
                return python
            say(f"GRADCHECK_VENV holds another gradcheck than {version}, so that one is installed")
        except Trouble as error:
            say(f"GRADCHECK_VENV holds no gradcheck, so it is installed: {error}")
    say("installing the grader")
    environment = chosen((*EVERYWHERE, *INSTALLING)) | {"TMPDIR": str(work)}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    run([sys.executable, "-I", "-m", "venv", str(work / "venv")], "making the environment", work, plain, deadline)
    python = python_of(work / "venv")
    pip = [str(python), "-I", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    pip += ["--only-binary", ":all:", "--extra-index-url", TORCH_CPU_INDEX]
    pip += ["-r", str(BUNDLE / "requirements.txt"), str(wheels[0])]
    run(pip, "installing the grader", work, environment, deadline)
    return python


def python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def chosen(names: tuple[str, ...]) -> dict[str, str]:
    """Of this process's environment these variables and no more: no token, no GITHUB_OUTPUT reaches a submission."""
    return {name: os.environ[name] for name in names if name in os.environ}


def run(command: list[str], what: str, work: Path, environment: dict[str, str], deadline: float) -> str:
    """What a command printed. It and all that it started are ended when the time is up. Raises Trouble."""
    log = work / "log"
    with log.open("wb") as file:
        try:
            process = subprocess.Popen(  # noqa: S603 — the host's interpreter, or the grader's
                command,
                cwd=work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise Trouble(f"{what} failed: {error.strerror}") from None
        try:
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Trouble(f"time ran out while {what}", tail(log)) from None
        finally:
            if hasattr(os, "killpg"):
                with suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
    if status < 0:
        raise Trouble(f"{what} was ended from outside, by signal {-status}; memory may have run out", tail(log))
    printed = tail(log)
    if status:
        raise Trouble(f"{what} failed{(': ' + printed.split(chr(10))[-2:][0][:200]) if printed else ''}", printed)
    return printed


def tail(log: Path) -> str:
    return log.read_bytes()[-4000:].decode("utf-8", "replace")


def stopped(*_: object) -> NoReturn:
    raise Trouble("the job was stopped")


def withdraw(checkout: Path) -> None:
    """Nothing that the submission left, or that is written in part, passes for a result."""
    with suppress(OSError):
        checkout.chmod(checkout.stat().st_mode | 0o700)
    for name in ("result.json", "release-body.md"):
        with suppress(OSError):
            clear(checkout / name)


def put(path: Path, text: str) -> None:
    """A new file in the place of whatever stands there; a link is removed, not followed. Raises OSError."""
    try:
        clear(path)
    except PermissionError:
        path.parent.chmod(path.parent.stat().st_mode | 0o700)
        clear(path)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except PermissionError:
        path.parent.chmod(path.parent.stat().st_mode | 0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def outcome_of(name: str) -> int:
    """A declarative test: what became of one function, as `--functions` kept it."""
    try:
        outcome = json.loads(FUNCTIONS.read_text("utf-8"))[name]
    except (OSError, ValueError, KeyError):
        say(f"{name} was not graded; the first test says why. {ASSURANCE}")
        return UNGRADED
    say(outcome["text"])
    return 0 if outcome["passed"] else NOT_PASSED


def say(text: str) -> None:
    """Into the job's log, where no line may begin a command to the job's runner."""
    for line in printable(text).splitlines():
        harmless = re.sub(r"^(\s*):(?=:)|#(?=#\[)", r"\1|", line)
        with suppress(OSError, ValueError):
            sys.stdout.write(f"  {harmless}\n")
            sys.stdout.flush()


def printable(text: str) -> str:
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)


if __name__ == "__main__":
    code = main()
    vars(sys)["stdout"] = None  # a log that cannot be written to is no reason to end with another status
    sys.exit(code)
