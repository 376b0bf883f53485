"""What a warm process computes from a save to the verdict, for every exercise: its solution, and the first mistake of its
record. `make bench`.

Goals: 150 ms for what passes, 1.5 s for a failure with its diagnosis and its smallest case. `training_loop` is beyond
both: the learner's own loop trains on the whole spiral, and its failures are searched in steps of training.
"""

from __future__ import annotations

import statistics
import time

import pytest
import torch

from gradcheck.catalog import Exercise, all_exercises
from gradcheck.grading.grade import grade_candidate, verification_of
from gradcheck.grading.load import Warm, load_candidate
from tests.desk.desk_commands import ROOT

TIMES: dict[str, list[tuple[float, str]]] = {"passed": [], "failed": []}


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory):
    torch.set_num_threads(1)  # as the process behind the desk has it
    made = Warm(tmp_path_factory.mktemp("cache"))
    relu = all_exercises()["relu"]
    grade_candidate(relu, load_candidate(relu, ROOT / "exercises" / relu.path), 0, made.cache)
    yield made
    for told, times in TIMES.items():
        slowest = sorted(times, reverse=True)[:10]
        print(f"\nslowest that {told}: " + ", ".join(f"{name} {seconds * 1000:.0f} ms" for seconds, name in slowest))


@pytest.mark.parametrize("told", TIMES)
@pytest.mark.parametrize("exercise", all_exercises().values(), ids=lambda exercise: exercise.name)
def test_from_the_save_to_the_verdict(warm: Warm, benchmark, exercise: Exercise, told: str):
    for _ in warm.prepare(exercise):
        pass
    mistake = exercise.misconceptions[0]
    computed: list[float] = []

    def save() -> None:
        began = time.process_time()
        candidate = load_candidate(exercise, ROOT / "solutions" / exercise.path)
        if told == "failed":
            candidate.functions[mistake.function] = mistake.wrong
        verification = verification_of(exercise, candidate, warm.seed, warm.cache)
        verification.benches = warm.benches(exercise)
        statuses = {result.status for result in verification.results()}
        computed.append(time.process_time() - began)
        assert ("failed" in statuses) == (told == "failed")

    benchmark.pedantic(save, rounds=5, warmup_rounds=1)
    middle = statistics.median(computed[1:])
    TIMES[told].append((middle, exercise.name))
    benchmark.extra_info.update({"first_computed_s": round(computed[0], 3), "computed_s": round(middle, 3)})
