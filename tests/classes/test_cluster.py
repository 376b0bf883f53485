"""Grading on a real Dask cluster: two workers on the loopback, some of which are killed."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gradcheck.classes import dask_worker
from gradcheck.classes.cluster import ClusterPool, Outgoing, asked, connected, must_be_same
from gradcheck.classes.journal import opened
from gradcheck.classes.judge import Settings
from gradcheck.classes.pool import Answer, Pool, Prepare, Read
from gradcheck.classes.run import grade_class
from gradcheck.errors import GradcheckError
from gradcheck.isolation.sandbox.layers import Layer
from gradcheck.submissions.layout import Submission
from gradcheck.submissions.places import Place, find

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="lanes on a cluster are Linux's"),
    pytest.mark.whole_machine,
    pytest.mark.rare,
]

ROOT = Path(__file__).parents[2]
RIGHT = (ROOT / "solutions/04_modules/relu.py").read_text()
SOURCES = {
    "ada": RIGHT,
    "bob": (ROOT / "exercises/04_modules/relu.py").read_text(),
    "broken": "def forward(x:\n",
    "cyd": RIGHT + "\n# done\n",
    "dan": RIGHT.replace("def backward(", "def backwards("),
    "eve": "import os\n" + RIGHT.replace("def forward(x", "def forward(x=os._exit(3) if __name__ else 0"),
    "killer": RIGHT + "\n# harmless by itself\n",
    "fay": RIGHT + "\n# done, too\n",
    "gus": RIGHT + "\n# done by me\n",
}

SEED = 5


def write(folder: Path, sources: dict[str, str]) -> Path:
    for name, source in sources.items():
        unit = folder / name / "exercises" / "04_modules"
        unit.mkdir(parents=True)
        (unit / "relu.py").write_text(source)
    return folder


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(tmp_path_factory.mktemp("expected"), ("relu",))


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return find(write(tmp_path_factory.mktemp("class"), SOURCES))


@pytest.fixture(scope="module")
def wanted(settings, places, tmp_path_factory):
    """What the lanes of this machine give."""
    with Pool(settings, 1) as pool:
        return graded(pool, places, settings, tmp_path_factory.mktemp("here"))


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=60,  # that workers die is what is tested
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def pool(cluster, settings, wanted):
    """One for all tests: its local lane and the workers' lanes take seconds to start. `wanted` first, so that expected
    values are computed once.
    """
    said: list[str] = []
    with ClusterPool(settings, cluster.scheduler_address, require_sandbox=False, say=said.append) as pool:
        pool.ready()
        pool.said = said
        yield pool


def graded(pool: Any, places: Any, settings: Settings, folder: Path, progress: Any = None) -> dict[str, Any]:
    with opened(folder) as journal:
        every = grade_class(places, settings, journal, pool, progress or (lambda *_: None), repeat=SEED)
        return {each.facts.name: each.report for each in every}


def test_reports_are_those_of_a_pool(pool, places, settings, wanted, tmp_path):
    assert wanted["ada"].score == wanted["ada"].max_score > wanted["dan"].score > wanted["bob"].score == 0
    assert graded(pool, places, settings, tmp_path) == wanted
    assert pool.layers
    with opened(tmp_path) as journal:
        assert len(journal) == len(SOURCES)


def test_expected_values_are_not_computed_on_workers(pool, places, settings, wanted, tmp_path):
    graded(pool, places, settings, tmp_path)
    run = pool._run.name
    folders = pool._client.run(lambda: str(dask_worker._benches[run].folder.name))
    here = {path.name: path.read_bytes() for path in settings.cache.glob("*.json")}
    assert here
    there = [{path.name: path.read_bytes() for path in Path(folder).glob("*.json")} for folder in folders.values()]
    assert here in there  # a worker that got no shard has none
    assert all(each in (here, {}) for each in there)
    assert all(Path(folder).stat().st_mode & 0o077 == 0 for folder in folders.values())


def test_a_worker_that_is_killed_costs_nothing(pool, places, settings, wanted, tmp_path):
    killed = []

    def kill_a_busy_one(stage, _done, _total):
        if stage != "grading" or killed:
            return
        busy = [where for where, keys in pool._client.processing().items() if keys]
        if not busy:
            return
        (pid,) = pool._client.run(os.getpid, workers=busy[:1]).values()
        os.kill(pid, signal.SIGKILL)
        killed.append(busy[0])

    pool.said.clear()
    assert graded(pool, places, settings, tmp_path, kill_a_busy_one) == wanted
    assert killed
    assert killed[0] not in pool._client.nthreads()
    (told,) = pool.said
    assert re.fullmatch(rf"the worker {killed[0]} \([01]\) is lost; what it had goes to others: [a-z, ]+", told)
    assert set(told.rpartition(": ")[2].split(", ")) <= set(SOURCES)


class DiesOfKiller(distributed.WorkerPlugin):
    """Makes workers, those that come to replace dead ones too, die of one submission."""

    name = "dies-of-killer"

    def __init__(self, deaths: str) -> None:
        self.deaths = deaths

    def setup(self, worker: Any) -> None:
        deaths, usual = self.deaths, dask_worker.grade_one

        def grade_one(lane: Any, submission: Submission, seed: int) -> Answer:
            if submission.name == "killer":
                with Path(deaths).open("a") as file:
                    file.write(f"{os.getpid()}\n")
                os.kill(os.getpid(), signal.SIGKILL)
            return usual(lane, submission, seed)

        dask_worker.grade_one = grade_one
        self.usual = usual

    def teardown(self, worker: Any) -> None:
        dask_worker.grade_one = self.usual


def lost_of(pool) -> list[str]:
    """What was said of workers that went away with something to grade."""
    return [line for line in pool.said if "is lost; what it had goes to others: " in line]


def test_a_submission_that_kills_its_worker_is_found_out(pool, places, settings, wanted, tmp_path):
    import cloudpickle

    deaths = tmp_path / "deaths"
    pool.said.clear()
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests
    try:
        pool._client.register_plugin(DiesOfKiller(str(deaths)))
        found = graded(pool, places, settings, tmp_path)
    finally:
        with suppress(OSError):  # a worker that has just died cannot be told, and its successor does not get the plugin
            pool._client.unregister_worker_plugin(DiesOfKiller.name)
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert "killer is given up: 2 workers were lost that graded it alone" in pool.said
    until = time.monotonic() + 20  # the scheduler tells of a worker in its own time
    while len(lost := lost_of(pool)) < len(deaths.read_text().split()) and time.monotonic() < until:
        pool._say_who_is_lost()
        time.sleep(0.05)
    assert len(lost) == len(deaths.read_text().split())
    assert all("killer" in line for line in lost)
    given_up = found.pop("killer")
    assert found == {name: report for name, report in wanted.items() if name != "killer"}
    assert [each.status for each in given_up.exercises] == ["ungraded"]
    assert "ended two grading processes" in given_up.exercises[0].checks[0].message
    assert len(deaths.read_text().split()) <= 3  # one with its shard, two by itself
    with opened(tmp_path) as journal:
        assert len(journal) == len(SOURCES) - 1  # it is tried again by the next run


def test_a_worker_with_another_grader_is_refused(pool, settings):
    here = {**dask_worker.build(), "torch": "1.0"}
    with pytest.raises(GradcheckError, match=r"the worker tcp://127.* \(torch 2\S* there and 1.0 here\); install"):
        must_be_same(pool._client, pool.scheduler, here)
    # One that comes later is asked by nobody, and says so itself.
    late = dask_worker.Run("late", settings, here, require_sandbox=False)
    with pytest.raises(GradcheckError, match=r"torch 2.* there and 1.0 here"):
        dask_worker._Bench(late, "")


def test_a_worker_without_the_grader_is_refused(pool):
    def raises() -> None:
        raise ModuleNotFoundError("No module named 'gradcheck'")

    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        with pytest.raises(GradcheckError, match=r"cannot run the grader: No module named 'gradcheck'.*pip install"):
            asked(pool._client, raises)
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_no_scheduler_and_no_workers(settings, monkeypatch):
    monkeypatch.setattr("gradcheck.classes.cluster._CONNECT_S", 0.5)
    monkeypatch.setattr("gradcheck.classes.cluster._WORKERS_S", 0.5)
    with pytest.raises(GradcheckError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1 \(.*Give the address"):
        connected("tcp://127.0.0.1:1")
    with pytest.raises(GradcheckError, match="no Dask scheduler answers at not an address"):
        connected("not an address")
    with distributed.LocalCluster(
        n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=60
    ) as empty:
        client = connected(empty.scheduler_address)
        with pytest.raises(GradcheckError, match="has no workers; start some: dask worker tcp://"):
            must_be_same(client, empty.scheduler_address, {})
        client.close()


def test_a_scheduler_file_will_do(cluster, tmp_path):
    file = tmp_path / "scheduler.json"
    file.write_text(f'{{"address": "{cluster.scheduler_address}"}}')
    client = connected(str(file))
    assert len(client.nthreads()) <= 2
    client.close()


def test_the_command_chooses(settings):
    from gradcheck.commands import instructor

    assert isinstance(instructor._pool(settings, 1, None, require_sandbox=True), Pool)
    pool = instructor._pool(settings, 1, "tcp://127.0.0.1:1", require_sandbox=True)
    assert isinstance(pool, ClusterPool)
    assert pool._run.require_sandbox
    assert str(settings.cache) not in repr(pool._run)


def test_a_missing_dask_is_said(settings, monkeypatch):
    monkeypatch.setattr("gradcheck.classes.cluster.find_spec", lambda _: None)
    with pytest.raises(GradcheckError, match=r"pip install 'gradcheck\[dask\]'"):
        ClusterPool(settings, "tcp://127.0.0.1:1")


def test_the_weakest_sandbox_counts(settings):
    pool = ClusterPool(settings, "tcp://127.0.0.1:1")
    held = [Layer("seccomp", held=True, detail="on"), Layer("Landlock", held=True, detail="version 7")]
    pool._note("one", held)
    assert all(layer.held for layer in pool.layers)
    pool._note("two", [Layer("seccomp", held=True, detail="on"), Layer("Landlock", held=False, detail="old kernel")])
    pool._note("one", held)
    assert {layer.name: layer.held for layer in pool.layers} == {"seccomp": True, "Landlock": False}
    assert [layer.detail for layer in pool.layers if not layer.held] == ["old kernel (on two)"]


def test_a_late_worker_must_hold_the_sandbox_too(settings):
    for required in (True, False):
        bench = dask_worker._Bench(dask_worker.Run("some", settings, dask_worker.build(), require_sandbox=required), "")
        if required:
            with pytest.raises(GradcheckError, match=r"the sandbox lacks address space.*without --require-sandbox"):
                bench._must_hold([])
        else:
            bench._must_hold([])
        bench.close()
        assert not Path(bench.folder.name).exists()


def test_a_run_that_is_over_is_not_begun_again(settings):
    import asyncio

    run = dask_worker.Run("over", settings, dask_worker.build(), require_sandbox=False)
    asyncio.run(dask_worker.release("over"))
    with pytest.raises(GradcheckError, match="is over"):
        dask_worker._bench_of(run, "")


def test_a_lost_connection_is_said_in_words_and_keeps_what_was_graded(pool, places, settings, tmp_path, monkeypatch):
    client = connected(pool.scheduler)
    monkeypatch.setattr(pool, "_client", client)

    def lose_it(stage, done, _total):
        if stage == "grading" and done == 1:
            client.close()

    with (
        opened(tmp_path) as journal,
        pytest.raises(GradcheckError, match=r"the connection to the scheduler tcp://.* is lost.*is kept"),
    ):
        list(grade_class(places, settings, journal, pool, lose_it, repeat=SEED))
    with opened(tmp_path) as journal:
        assert 0 < len(journal) < len(SOURCES)


def test_a_worker_that_went_away_is_named_and_one_that_was_sent_away_is_not(settings):
    said: list[str] = []
    pool = ClusterPool(settings, "tcp://127.0.0.1:1", say=said.append)
    pool._names = {"tcp://10.0.0.7:1": "lab-7", "tcp://10.0.0.8:1": "tcp://10.0.0.8:1"}
    pool._sent_names = {"m1": ["bob", "ada"], "m2": [f"s{number}" for number in range(10)]}
    gone = {"action": "remove-worker", "expected": False, "processing-tasks": {"m1", "other"}}
    pool._heard += [
        (0.0, {**gone, "worker": "tcp://10.0.0.7:1"}),
        (0.1, {**gone, "worker": "tcp://10.0.0.8:1", "processing-tasks": ["m2"]}),
        (0.2, {**gone, "worker": "tcp://10.0.0.9:1", "processing-tasks": ()}),
        (0.3, {**gone, "worker": "tcp://10.0.0.6:1", "expected": True}),
        (0.4, {"action": "add-worker", "worker": "tcp://10.0.0.5:1"}),
        (0.5, "a word"),
    ]
    pool._say_who_is_lost()
    assert said == [
        "the worker tcp://10.0.0.7:1 (lab-7) is lost; what it had goes to others: ada, bob",
        "the worker tcp://10.0.0.8:1 is lost; what it had goes to others: s0, s1, s2, s3, s4, s5, s6, s7 and 2 more",
        "the worker tcp://10.0.0.9:1 is lost; it had nothing to grade",
    ]
    pool._say_who_is_lost()
    assert len(said) == 3


# What goes out.


def outgoing(count: int, size: int = 10, unreadable: tuple[int, ...] = ()) -> tuple[Outgoing, list[str]]:
    read: list[str] = []

    def reading() -> Any:
        for number in range(count):
            name = f"s{number}"
            read.append(name)
            known = None if number in unreadable else Submission(name, {"relu": bytes(size)}, {})
            yield Read(Place(name, "", is_archive=False)), Answer(submission=known)

    return Outgoing(reading(), count), read


def test_shards_shrink_towards_the_end_and_little_is_read_ahead():
    out, read = outgoing(100)
    flying, sizes = [], []
    while (piece := out.next(flying, workers=2)) is not None:
        flying.append(piece)
    assert len(flying) == 4
    assert len(read) == sum(len(piece.submissions) for piece in flying) <= 64
    while out or flying:
        sizes.append(len(flying.pop(0).submissions))
        while (piece := out.next(flying, workers=2)) is not None:
            flying.append(piece)
    assert sum(sizes) == 100
    assert sizes[0] == 16
    assert sizes[-1] == 1
    assert sizes == sorted(sizes, reverse=True)


def test_big_submissions_bound_what_is_under_way():
    out, read = outgoing(100, size=5 << 20)
    flying = []
    while (piece := out.next(flying, workers=1000)) is not None:
        flying.append(piece)
    assert 256 <= 5 * len(read) < 256 + 16
    out, read = outgoing(400, size=5 << 20)
    assert len(out.next([], workers=1).submissions) == 2


def test_what_a_worker_died_of_goes_out_alone_and_is_given_up_after_two_more():
    out, _ = outgoing(40)
    piece = out.next([], workers=1)
    names = [submission.name for submission in piece.submissions]
    assert len(names) == 16
    assert out.again(piece) == ()
    alone = [out.next([], workers=1) for _ in names]
    assert [[submission.name for submission in each.submissions] for each in alone] == [[name] for name in names]
    assert out.again(alone[3]) == ()
    assert out.next([], workers=1) is alone[3]
    assert [submission.name for submission in out.again(alone[3])] == ["s3"]
    assert len(out.next([], workers=1).submissions) > 1


def test_what_cannot_be_read_is_told():
    out, _ = outgoing(3, unreadable=(0, 2))
    assert [each.name for each in out.next([], workers=1).submissions] == ["s1"]
    assert out.next([], workers=1) is None
    assert out.unreadable() == ["s0", "s2"]
    assert not out


def test_other_tasks_are_done_here(settings):
    pool = ClusterPool(settings, "tcp://127.0.0.1:1")
    done = []
    pool._local.run = lambda tasks: iter([(task, Answer()) for task in tasks if not done.append(task)])
    assert [task for task, _ in pool.run([Prepare("relu", SEED)])] == done == [Prepare("relu", SEED)]
