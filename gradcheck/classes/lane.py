"""The process of a lane: a judge, and a pipe to whoever runs the class."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import Connection

from gradcheck.classes.judge import Judge, Settings
from gradcheck.classes.tasks import Answer, Grade, GradeRead, Prepare, Read, Scan, Task, facts_of
from gradcheck.errors import GradcheckError
from gradcheck.grading.lifeline import end_with_parent
from gradcheck.isolation.sandbox.kernel import keep_memory_private


def main(pipe: Connection, settings: Settings) -> None:
    """Answer tasks until the other end is closed, or whoever started this is gone. The first message sent are the
    sandbox's layers, or why there is no sandbox to work in.
    """
    end_with_parent()
    keep_memory_private()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run; it ends its lanes itself
    # One thread, whenever torch is loaded here: for what is right it never is.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    judge = Judge(settings)
    try:
        pipe.send(judge.layers)
        while True:
            pipe.send(_answer(judge, pipe.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # whoever runs the class is gone, or needs this lane no more
    except GradcheckError as error:
        pipe.send(str(error))
    finally:
        judge.close()


def _answer(judge: Judge, task: Task) -> Answer:
    if isinstance(task, (Prepare, Grade, GradeRead)):
        judge.draw_from(task.seed)
    if isinstance(task, Prepare):
        judge.prepare(task.exercise)
        return Answer()
    submission = task.submission if isinstance(task, GradeRead) else task.place.read()
    facts = facts_of(submission)
    if isinstance(task, Scan):
        return Answer(facts)
    if isinstance(task, Read):
        return Answer(facts, submission=submission)
    started = time.perf_counter()
    try:
        report = judge.grade(submission)
    except GradcheckError as error:
        return Answer(facts, failure=str(error))
    return Answer(facts, report, time.perf_counter() - started)
