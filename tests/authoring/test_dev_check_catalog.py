"""`gradcheck dev check` on the catalog as a whole, and as a command: names, order, files left over, processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from gradcheck import catalog
from gradcheck.authoring.dev_check.record import (
    Record,
    answers_of,
    catalog_problems,
    read_catalog,
    record_problems,
    stray_problems,
)
from gradcheck.authoring.dev_check.run import Failed, Work, check, checked
from gradcheck.catalog import find_exercise
from gradcheck.errors import GradcheckError, UnknownExercise
from tests import warm_start
from tests.authoring.planted_exercise import ROOT, planted

ADD, RELU = (find_exercise(name) for name in ("add", "relu"))


def told(problems):
    return [f"{each.exercise} | {each.where}: {each.cause} -> {each.remedy}" for each in problems]


def test_the_catalog_is_in_order():
    records, unreadable = read_catalog()
    assert [each.exercise.name for each in records] == list(catalog.all_exercises())
    assert told([*unreadable, *catalog_problems(records), *stray_problems(records, ROOT)]) == []


def test_every_record_is_in_order_as_it_is_written():
    records, _ = read_catalog()
    found = [record_problems(each.exercise, answers_of(each.exercise, ROOT)) for each in records]
    assert told(chain.from_iterable(found)) == []


@pytest.mark.parametrize(
    ("records", "wanted"),
    [
        (
            [Record(ADD, "add", 1), Record(replace(ADD, unit="05_losses"), "add", 1)],
            "add | gradcheck/catalog/add.py: gradcheck/catalog/add.py has a record of the same name -> rename one",
        ),
        ([Record(ADD, "plus", 1)], "add | gradcheck/catalog/plus.py: the record is called add, its file plus.py -> "),
        ([Record(ADD, "add", None)], "add | gradcheck/catalog/add.py: it has no ORDER -> write ORDER = 1"),
        (
            [Record(ADD, "add", 3), Record(RELU, "relu", 3)],
            "relu | gradcheck/catalog/relu.py: ORDER = 3 is also that of add, in the same unit -> give one of them ",
        ),
    ],
    ids=["two of one name", "another file name", "no order", "one order twice"],
)
def test_records_beside_each_other(records, wanted):
    assert any(each.startswith(wanted) for each in told(catalog_problems(records)))


def test_files_that_no_record_speaks_of(tmp_path):
    for path in ("exercises/04_modules/ad.py", "exercises/04_modules/swish.py", "solutions/05_losses/relu.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    records = [Record(ADD, "add", 1), Record(RELU, "relu", 2)]
    near, unknown, moved = told(stray_problems(records, tmp_path))
    assert near.startswith(
        "ad | exercises/04_modules/ad.py: the catalog has no record of this name -> rename it, if add"
    )
    assert "-> write gradcheck/catalog/swish.py (gradcheck new swish begins one in a free name), or delete" in unknown
    assert moved == (
        "relu | solutions/05_losses/relu.py: it lies in 05_losses, but the record's unit is 04_modules -> "
        "move it to solutions/04_modules/relu.py, or mend the record's unit"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("EXERCISE = (\n", r"Python cannot import it: SyntaxError, line 1: .* -> mend it"),
        ("1 / 0\n", r"Python cannot import it: ZeroDivisionError: division by zero -> mend it"),
        ("EXERCISE = 'swish'\n", r"EXERCISE is no record, but of type str -> let EXERCISE be"),
    ],
)
def test_a_record_that_cannot_be_read(tmp_path, monkeypatch, text, wanted):
    (tmp_path / "planted_by_a_test.py").write_text(text)
    monkeypatch.setattr(catalog, "__path__", [*catalog.__path__, str(tmp_path)])
    _, (problem,) = read_catalog()
    assert re.fullmatch(rf"planted_by_a_test \| gradcheck/catalog/planted_by_a_test\.py: {wanted}.*", *told([problem]))
    sys.modules.pop("gradcheck.catalog.planted_by_a_test", None)


def listen(_stage, _done, _of):
    pass


def run(root, *names, limit_s=60.0):
    return list(check(root, names, quick=True, jobs=1, limit_s=limit_s, progress=listen))


def test_what_cannot_be_checked_is_said_at_once(tmp_path):
    with pytest.raises(GradcheckError, match=r"there is no exercises/ in .*, so run this there"):
        run(tmp_path, "add")
    with pytest.raises(UnknownExercise, match="no exercise 'ad'; did you mean add"):
        run(ROOT, "ad")
    for folder in ("exercises", "solutions", "gradcheck/catalog"):
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(GradcheckError, match=r"not the one in use.*python -m gradcheck dev check"):
        run(tmp_path, "add")


@pytest.mark.outside
def test_a_process_that_dies_or_never_ends_costs_its_own_exercise_only(tmp_path, capfd):
    work = Work(ROOT, tmp_path, quick=True)
    answers = dict(checked(["no_such_module", "add"], work, 1, 60.0))
    assert answers["no_such_module"] == Failed("the process that checked it died")
    assert answers["add"].problems == ()
    assert "Process gradcheck:" in capfd.readouterr().err
    started = time.monotonic()
    ((_, answer),) = checked(["training_loop"], work, 1, 0.1)
    assert answer == Failed("its checks were not done after 0.1 s")
    assert time.monotonic() - started < 30


def command(folder: Path, *arguments: str):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    return subprocess.run(
        [*warm_start.python(), "-m", "gradcheck", "dev", "check", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.mark.outside
def test_the_command_says_each_problem_with_its_remedy_and_how_many_there_are(tmp_path):
    exercise = planted("add", tmp_path, tmp_path)
    exercise.edit("exercises", 'raise NotImplementedError("forward is not written yet")', "return x1 + x2")
    done = command(tmp_path, "add", "exercises/04_modules/relu.py", "--quick")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == (
        "relu:\n"
        "  solutions/04_modules/relu.py: there is no such file\n"
        "    → write it, with forward(x), backward(grad_output, x) and jacobian(x)\n"
        "  exercises/04_modules/relu.py: there is no such file\n"
        "    → write it anew with: gradcheck stubs relu\n"
        "add:\n"
        "  exercises/04_modules/add.py: forward is already solved: its body is more than\n"
        "    NotImplementedError\n"
        "    → gradcheck stubs add --force writes it anew; what is in it is lost\n"
        "2 exercises checked: 3 problems in 2\n"
    )


@pytest.mark.outside
def test_the_command_has_nothing_against_what_is_in_order():
    done = command(ROOT, "minibatches")
    assert done.returncode == 0, done.stdout + done.stderr
    told = r"minibatches: in order, \d+ wrong answers refused\n1 exercise checked: no problem\n"
    assert re.fullmatch(told, done.stdout)


@pytest.mark.outside
def test_bad_usage_exits_2(tmp_path):
    done = command(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gradcheck: there is no exercises/ in ")
