"""Git clones: the commit that counts is read, and nothing that a repository says is run."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gradcheck.classes.policy import Commit, Course
from gradcheck.errors import SubmissionError
from gradcheck.submissions import git, git_objects, places
from gradcheck.submissions.lateness import Deadline, Later
from gradcheck.submissions.layout import Findings

pytestmark = [pytest.mark.outside, pytest.mark.skipif(shutil.which("git") is None, reason="needs git")]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RELU = "exercises/04_modules/relu.py"


def run(folder: Path, *arguments: str, at: datetime = NOON, **more: str) -> str:
    stamp = f"{int(at.timestamp())} +0000"
    who = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp, **who, **more,
    }  # fmt: skip
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Commits at noon and at one o'clock, other files in the work tree."""
    folder = tmp_path / "class" / "alice"
    folder.mkdir(parents=True)
    run(folder, "init", "-q", "-b", "main")
    for hour, content in ((0, "at noon"), (1, "at one")):
        write(folder, RELU, content)
        commit(folder, NOON + timedelta(hours=hour), content)
    write(folder, RELU, "not committed")
    return folder


def write(folder: Path, path: str, content: str | bytes) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())


def commit(folder: Path, at: datetime, message: str) -> str:
    run(folder, "add", "-A")
    run(folder, "commit", "-q", "-m", message, at=at)
    return run(folder, "rev-parse", "HEAD")


def read(folder: Path, wanted: Commit = Commit()) -> Findings:
    findings = Findings()
    repository = git.git_folder(folder)
    assert repository is not None
    git.read_commit(repository, wanted, findings)
    return findings


def test_the_newest_commit_counts_and_not_the_work_tree(clone):
    found = read(clone)
    assert found.sources == {"relu": b"at one"}
    assert (found.submitted, found.commit) == ("2026-03-01T13:00:00+00:00", run(clone, "rev-parse", "HEAD"))
    assert not found.problems


@pytest.mark.parametrize(
    ("minutes", "content"), [(-1, None), (0, b"at noon"), (59, b"at noon"), (60, b"at one"), (600, b"at one")]
)
def test_the_last_commit_up_to_the_deadline_counts(clone, minutes, content):
    found = read(clone, Commit(until=NOON + timedelta(minutes=minutes)))
    assert found.sources.get("relu") == content
    if content is None:
        assert "no commit is from before the deadline (2 were later)" in found.problems[0]
        assert found.submitted == found.commit == ""
    elif content == b"at noon":
        assert found.problems == ["1 commit after the deadline was not read"]


def test_a_course_with_a_deadline_reads_the_commit_extensions_and_grace_counted_in(clone):
    course = Course(deadline=Deadline(NOON + timedelta(minutes=30)), at="deadline")
    assert places.find(clone.parent, course)[0].read().sources == {"relu": b"at noon"}
    graced = Course(deadline=Deadline(NOON + timedelta(minutes=30), grace_minutes=30), at="deadline")
    assert places.find(clone.parent, graced)[0].read().sources == {"relu": b"at one"}
    extended = Course(deadline=Deadline(NOON, extensions={"alice": timedelta(days=1)}), at="deadline")
    assert places.find(clone.parent, extended)[0].read().sources == {"relu": b"at one"}
    assert places.find(clone.parent, Course())[0].read().sources == {"relu": b"not committed"}
    assert places.find(clone.parent, Course(at="head"))[0].read().sources == {"relu": b"at one"}


def late_days(days: int, penalty: float = 10) -> Course:
    rule = Deadline(NOON + timedelta(hours=2), late="per-day", penalty_per_day=penalty, max_days=days)
    return Course(deadline=rule, at="late-days")


def test_late_days_that_count_are_read_and_what_comes_after_is_told(clone):
    for day, content in ((1, "on day 1"), (2, "on day 2"), (4, "on day 4")):
        write(clone, RELU, content)
        commit(clone, NOON + timedelta(days=day), content)
    for days, content, over in ((1, b"on day 1", 2), (3, b"on day 2", 1), (9, b"on day 4", 0)):
        read = places.find(clone.parent, late_days(days))[0].read()
        assert read.sources == {"relu": content}
        assert read.later == (Later(over, "2026-03-05T12:00:00+00:00", 0) if over else None)
        assert read.in_time is not None
        assert read.in_time.submitted == "2026-03-01T13:00:00+00:00", "the last one in time"
        told = (
            f"{over} commit{'s' if over > 1 else ''} after the last day that counts w{'ere' if over > 1 else 'as'} not"
        )
        assert [each.startswith(told) for each in read.problems] == [True] * bool(over)
    rest = places.find(clone.parent, late_days(9, penalty=60))[0].read()
    assert rest.sources == {"relu": b"on day 1"}, "on the second day nothing is left"
    strict = Course(deadline=Deadline(NOON, late="per-day", penalty_per_day=10), at="deadline")
    assert places.find(clone.parent, strict)[0].read().sources == {"relu": b"at noon"}
    early = Course(deadline=Deadline(NOON - timedelta(days=30), late="per-day", penalty_per_day=10), at="late-days")
    (problem,) = places.find(clone.parent, early)[0].read().problems
    assert problem == "no commit is from before the last day that counts (5 were later), so nothing was read"


@pytest.mark.parametrize("at", ["late-days", "head"])
def test_a_later_push_that_leaves_the_exercises_as_they_were_is_no_later_work(clone, at):
    course = replace(late_days(9), at=at)
    write(clone, RELU, "in time")
    in_time = commit(clone, NOON + timedelta(hours=2), "in time")
    for day in (1, 2):
        write(clone, "README.md", f"day {day}")
        commit(clone, NOON + timedelta(days=day), "readme")
    read = places.find(clone.parent, course)[0].read()
    assert (read.commit, read.submitted) == (in_time, "2026-03-01T14:00:00+00:00")
    assert (read.later, read.problems) == (Later(2, "2026-03-03T12:00:00+00:00", 2), ())
    assert read.in_time is None, "it is the one that counts"
    write(clone, RELU, "improved")
    improved = commit(clone, NOON + timedelta(days=3), "improved")
    write(clone, "README.md", "day 5")
    commit(clone, NOON + timedelta(days=5), "readme")
    read = places.find(clone.parent, course)[0].read()
    assert (read.commit, read.later) == (improved, Later(1, "2026-03-06T12:00:00+00:00", 1))
    run(clone, "rm", "-q", "--cached", RELU)
    run(clone, "commit", "-q", "-m", "all gone", at=NOON + timedelta(days=6))
    assert places.find(clone.parent, course)[0].read().submitted == "2026-03-07T12:00:00+00:00"
    write(clone, RELU, "in time")
    commit(clone, NOON + timedelta(days=7), "back to what was handed in")
    assert places.find(clone.parent, course)[0].read().commit == in_time


def test_a_shallow_clone_has_the_date_that_it_can_show(clone, tmp_path):
    (tmp_path / "class2").mkdir()
    write(clone, "README.md", "later")
    commit(clone, NOON + timedelta(days=1), "readme")
    run(tmp_path, "clone", "-q", "--depth", "1", f"file://{clone}", "class2/alice")
    read = places.find(tmp_path / "class2", late_days(9))[0].read()
    assert (read.submitted, read.sources) == ("2026-03-02T12:00:00+00:00", {"relu": b"not committed"})


@pytest.mark.parametrize("date", ["garbage", "99999999999999999999999 +0000", "253402300800 +0000", "0 +0000"])
def test_a_date_that_cannot_be_is_no_time(clone, date):
    """git itself reads some of them as 1970, which is before every deadline."""
    tree = run(clone, "rev-parse", "HEAD^{tree}")
    parent, who = run(clone, "rev-parse", "HEAD~1"), f"a <a@b> {date}"
    text = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\nx\n"
    made = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--literally", "--stdin"],
        cwd=clone, input=text.encode(), capture_output=True, check=True,
    ).stdout.decode().strip()  # fmt: skip
    run(clone, "update-ref", "refs/heads/main", made)
    found = read(clone, Commit(until=NOON + timedelta(days=9)))
    assert found.sources == {"relu": b"at noon"}
    assert found.problems == [f"1 commit was not read, with a date that cannot be: {made[:12]}"]
    assert found.later == Later(1, "", 0)
    found = read(clone)
    assert (found.sources, found.submitted) == ({"relu": b"at one"}, "")
    assert found.problems == [f"the commit {made[:12]} has a date that cannot be"]


def test_when_a_checkout_was_committed(clone, tmp_path, monkeypatch):
    run(clone, "checkout", "-q", "-f", "HEAD~1")
    assert git.checked_out(clone) == "2026-03-01T12:00:00+00:00"
    assert git.checked_out(tmp_path) == git.checked_out(tmp_path / "nowhere") == ""

    def missing() -> str:
        raise SubmissionError("git is not installed")

    monkeypatch.setattr(git_objects, "_git", missing)
    assert git.checked_out(clone) == ""


def test_a_tag_counts_light_or_annotated_loose_or_packed(clone):
    run(clone, "tag", "light", "HEAD~1")
    run(clone, "tag", "-a", "heavy", "-m", "done", "HEAD~1")
    for _ in range(2):
        for tag in ("light", "heavy"):
            assert read(clone, Commit(tag=tag)).sources == {"relu": b"at noon"}
        run(clone, "pack-refs", "--all")
        run(clone, "gc", "-q")
        assert not (clone / ".git/refs/tags/light").exists()
    assert read(clone).sources == {"relu": b"at one"}
    assert read(clone, Commit(tag="v1")).problems == ["the repository has no tag v1; nothing of it was read"]


def test_a_bare_repository_is_read_and_its_name_loses_the_ending(clone, tmp_path):
    (tmp_path / "bare").mkdir()
    run(tmp_path, "clone", "-q", "--bare", str(clone), "bare/bob.git")
    (place,) = places.find(tmp_path / "bare")
    assert (place.name, place.read().sources) == ("bob", {"relu": b"at one"})


def test_sha256_shallow_detached_and_empty_repositories(clone, tmp_path):
    run(tmp_path, "clone", "-q", "--depth", "1", f"file://{clone}", "shallow")
    assert read(tmp_path / "shallow").sources == {"relu": b"at one"}
    found = read(tmp_path / "shallow", Commit(until=NOON))
    assert not found.sources
    assert "may be missing from this shallow clone" in found.problems[0]
    run(clone, "checkout", "-q", "-f", "HEAD~1")
    assert read(clone).sources == {"relu": b"at noon"}
    new = tmp_path / "new"
    new.mkdir()
    run(new, "init", "-q", "--object-format=sha256")
    assert "has no commit" in read(new).problems[0]
    write(new, RELU, "longer ids")
    commit(new, NOON, "first")
    assert read(new).sources == {"relu": b"longer ids"}


def test_the_first_parents_count_and_a_merged_branch_is_no_state_of_the_branch(clone):
    run(clone, "checkout", "-q", "-f", "-b", "side", "HEAD~1")
    write(clone, RELU, "on the side")
    commit(clone, NOON + timedelta(minutes=5), "side")
    run(clone, "checkout", "-q", "main")
    run(clone, "merge", "-q", "-s", "ours", "-m", "merge", "side", at=NOON + timedelta(hours=2))
    assert read(clone, Commit(until=NOON + timedelta(minutes=30))).sources == {"relu": b"at noon"}


# --- hostile repositories ---


def test_settings_hooks_and_filters_of_a_repository_run_nothing(clone, tmp_path):
    marker = tmp_path / "ran"
    program = tmp_path / "program.sh"
    program.write_text(f"#!/bin/sh\necho ran >> {marker}\n")
    program.chmod(0o755)
    write(clone, ".gitattributes", "*.py filter=evil diff=evil\n")
    commit(clone, NOON + timedelta(hours=2), "attributes")
    settings = tmp_path / "included"
    keys = ("core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "core.askPass", "gpg.program",
            "filter.evil.smudge", "filter.evil.clean", "filter.evil.process", "diff.evil.textconv", "diff.external",
            "core.alternateRefsCommand", "core.gitProxy", "uploadpack.packObjectsHook", "credential.helper")  # fmt: skip
    for key in keys:
        run(clone, "config", "-f", str(settings), key, str(program))
    for name in ("cat-file", "rev-list", "ls-tree"):
        run(clone, "config", "-f", str(settings), f"alias.{name}", f"!{program}")
    run(clone, "config", "-f", str(settings), "log.showSignature", "true")
    run(clone, "config", "include.path", str(settings))
    hooks = clone / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman"):
        shutil.copy(program, hooks / name)
    subprocess.run(["git", "status"], cwd=clone, capture_output=True, check=False)
    assert marker.exists(), "these settings do run a program when git is used as usual"
    marker.unlink()
    for wanted in (Commit(), Commit(until=NOON), Commit(tag="v1")):
        read(clone, wanted)
    for at in ("worktree", "head"):
        assert places.find(clone.parent, Course(at=at))[0].read().sources
    assert not marker.exists()


def test_nothing_is_fetched_for_a_partial_clone(clone, tmp_path):
    run(clone, "config", "uploadpack.allowFilter", "true")
    run(clone, "config", "uploadpack.allowAnySHA1InWant", "true")
    run(tmp_path, "clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{clone}", "partial")
    partial = tmp_path / "partial"
    marker = tmp_path / "ran"
    run(partial, "config", "protocol.ext.allow", "always")
    program = tmp_path / "program.sh"
    program.write_text(f"#!/bin/sh\necho ran > {marker}\n")
    program.chmod(0o755)
    run(partial, "config", "remote.origin.url", f"ext::{program}")
    subprocess.run(["git", "show", f"HEAD:{RELU}"], cwd=partial, capture_output=True, check=False)
    assert marker.exists(), "git used as usual runs what the remote says"
    marker.unlink()
    found = read(partial)
    assert not marker.exists()
    assert not found.sources
    assert "missing from the repository" in found.refused["relu"]


def test_settings_of_whoever_grades_do_not_count(clone, tmp_path, monkeypatch):
    marker = tmp_path / "ran"
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(marker))
    monkeypatch.setenv("GIT_EXEC_PATH", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.repositoryformatversion")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "99")
    assert read(clone).sources == {"relu": b"at one"}
    assert not marker.exists()


def test_replaced_objects_do_not_count(clone):
    old, new = run(clone, "rev-parse", "HEAD~1"), run(clone, "rev-parse", "HEAD")
    run(clone, "replace", new, old)
    assert run(clone, "show", f"HEAD:{RELU}") == "at noon"
    assert read(clone).sources == {"relu": b"at one"}


def test_a_commit_graph_is_not_believed(clone):
    """It keeps every commit's date a second time, and nobody checks that it is the same."""
    run(clone, "commit-graph", "write", "--reachable")
    graph = clone / ".git/objects/info/commit-graph"
    graph.chmod(0o644)
    content = bytearray(graph.read_bytes())
    entry = content.index(b"CDAT", 8)
    (start,) = struct.unpack_from(">Q", content, entry + 4)
    for commit_at in (start, start + 36):
        struct.pack_into(">L", content, commit_at + 32, 1000)
    graph.write_bytes(content)
    assert run(clone, "rev-list", "--timestamp", "-1", "HEAD").startswith("1000 "), "git believes it as a rule"
    found = read(clone, Commit(until=NOON))
    assert (found.sources, found.submitted) == ({"relu": b"at noon"}, "2026-03-01T12:00:00+00:00")


def test_borrowed_and_linked_objects_are_refused(clone, tmp_path):
    run(tmp_path, "clone", "-q", "--shared", str(clone), "shared")
    found = read(tmp_path / "shared")
    assert not found.sources
    assert "borrows objects from another one" in found.problems[0]
    for part in ("objects", "objects/pack"):
        linked = tmp_path / part.replace("/", "-")
        shutil.copytree(clone, linked)
        shutil.rmtree(linked / ".git" / part)
        (linked / ".git" / part).symlink_to(clone / ".git" / part)
        repository = linked / ".git"
        findings = Findings()
        git.read_commit(repository, Commit(), findings)
        assert not findings.sources
        assert "link" in findings.problems[0]
    os.mkfifo(clone / ".git/objects/pack/pack-1.idx")
    assert "a link or a pipe" in read(clone).problems[0]


@pytest.mark.parametrize(
    "content",
    [
        b"ref: refs/../../../secret",
        b"ref: ../secret",
        b"ref: /etc/passwd",
        b"--all",
        b"",
        b"\xff",
        b"ref: HEAD",
        b"a" * 5000,
    ],
)
def test_a_head_that_leads_elsewhere_is_not_followed(clone, content):
    (clone.parent / "secret").write_text(run(clone, "rev-parse", "HEAD"))
    (clone / ".git/HEAD").write_bytes(content)
    found = read(clone)
    assert not found.sources
    assert len(found.problems) == 1


def test_a_linked_ref_is_refused_and_a_branch_that_names_itself_ends(clone, tmp_path):
    ref = clone / ".git/refs/heads/main"
    ref.write_text("ref: refs/heads/main\n")
    assert "has no commit" in read(clone).problems[0]
    ref.unlink()
    ref.symlink_to(clone / ".git/HEAD")
    assert "is a link" in read(clone).problems[0]
    ref.unlink()
    ref.write_text("1" * 40)
    assert "cannot be read" in read(clone).problems[0]


def test_a_tag_of_something_else_is_told(clone):
    blob = run(clone, "rev-parse", f"HEAD:{RELU}")
    run(clone, "tag", "odd", blob)
    found = read(clone, Commit(tag="odd"))
    assert not found.sources
    assert "the repository cannot be read" in found.problems[0]


def test_links_submodules_and_large_files_in_a_commit_are_refused(clone):
    (clone / "exercises/04_modules/softmax.py").symlink_to("/etc/passwd")
    (clone / "exercises/05_losses").symlink_to("/etc")
    write(clone, "exercises/04_modules/add.py", b"#" * 1_000_001)
    write(clone, "exercises/04_modules/tanh.py", b"#" * 1_000_000)
    (clone / "exercises/04_modules/linear.py").mkdir()
    write(clone, "exercises/04_modules/linear.py/inside", "x")
    commit(clone, NOON + timedelta(hours=2), "odd")
    found = read(clone)
    assert found.sources.keys() == {"relu", "tanh"}
    assert "is a link" in found.refused["softmax"]
    assert "is a link or a submodule" in found.refused["nll"]
    assert "1,000,001 bytes" in found.refused["add"]
    assert "no plain file" in found.refused["linear"]


def test_names_below_exercises_only(clone):
    write(clone, "exercises/.desk.json", '{"schema": "gradcheck/desk/v1", "exercises": {"relu": {"hint": 3}, "x": {}}}')
    write(clone, "conftest.py", "raise SystemExit")
    commit(clone, NOON + timedelta(hours=2), "more")
    found = read(clone)
    assert found.sources == {"relu": b"not committed"}
    assert {name: taken.hint for name, taken in found.help.items()} == {"relu": 3}


def test_a_tree_of_trees_without_end_is_not_walked(clone):
    tree = run(clone, "write-tree")
    blob = (
        subprocess.run(["git", "hash-object", "-w", "--stdin"], cwd=clone, input=b"x", capture_output=True)
        .stdout.decode()
        .strip()
    )
    listing = "".join(f"100644 blob {blob}\tf{number}\n" for number in range(10))
    for _ in range(12):  # 10 ** 12 files
        tree = subprocess.run(
            ["git", "mktree"], cwd=clone, input=listing, capture_output=True, text=True
        ).stdout.strip()
        listing = "".join(f"040000 tree {tree}\td{number}\n" for number in range(10))
    made = run(clone, "commit-tree", "-m", "bomb", tree)
    run(clone, "update-ref", "refs/heads/main", made)
    found = read(clone)
    assert not found.sources
    assert "more than 20,000 files" in found.problems[0]
    assert "there is no folder exercises/" in found.problems[1]


def test_time_is_bounded(clone, monkeypatch, tmp_path):
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(git_objects, "_git", lambda: str(slow))
    monkeypatch.setattr(git_objects.opened_objects.__wrapped__, "__defaults__", (0.2,))
    assert read(clone).problems == ["the repository cannot be read: reading it takes longer than 0.2 seconds"]


def test_without_git_nobody_gets_no_points_but_the_class_is_told(clone, monkeypatch):
    def missing() -> str:
        raise SubmissionError("git is not installed")

    monkeypatch.setattr(git_objects, "_git", missing)
    with pytest.raises(SubmissionError, match="not installed"):
        places.find(clone.parent, Course(at="head"))[0].read()
    monkeypatch.undo()
    git_objects._git.cache_clear()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SubmissionError, match='at = "worktree"'):
        git_objects._git()
    git_objects._git.cache_clear()


# --- objects that are not what their ids say ---


def loose(clone: Path, name: str) -> Path:
    path = clone / ".git/objects" / name[:2] / name[2:]
    path.chmod(0o644)
    return path


def exchanged(clone: Path, name: str, kind: str, content: bytes) -> None:
    """A loose object whose content is another one's: git reads it without a look at its id."""
    loose(clone, name).write_bytes(zlib.compress(f"{kind} {len(content)}\0".encode() + content))


def test_the_content_of_a_file_is_what_its_id_says(clone):
    blob = run(clone, "rev-parse", f"HEAD:{RELU}")
    exchanged(clone, blob, "blob", b"another answer")
    assert run(clone, "show", f"HEAD:{RELU}") == "another answer", "git as usual believes it"
    found = read(clone)
    assert not found.sources
    assert f"the blob {blob[:12]} is not what its id says" in found.refused["relu"]


def test_the_content_of_a_tree_is_what_its_id_says(clone):
    tree, other = (run(clone, "rev-parse", f"{which}:exercises/04_modules") for which in ("HEAD", "HEAD~1"))
    raw = subprocess.run(["git", "cat-file", "tree", other], cwd=clone, capture_output=True, check=True).stdout
    exchanged(clone, tree, "tree", raw)
    assert run(clone, "show", f"HEAD:{RELU}") == "at noon"
    found = read(clone)
    assert not found.sources
    assert f"the tree {tree[:12]} is not what its id says" in found.problems[0]


def test_the_content_of_a_commit_is_what_its_id_says(clone):
    head, before = run(clone, "rev-parse", "HEAD"), run(clone, "rev-parse", "HEAD~1")
    raw = subprocess.run(["git", "cat-file", "commit", before], cwd=clone, capture_output=True, check=True).stdout
    exchanged(clone, head, "commit", raw)
    found = read(clone)
    assert (found.sources, found.commit) == ({}, "")
    assert f"the commit {head[:12]} is not what its id says" in found.problems[0]


def test_packed_objects_are_hashed_too(clone):
    """One that is packed under another's id: the pack's list of contents names the ids, and nobody compares."""
    blobs = [run(clone, "rev-parse", f"{which}:{RELU}") for which in ("HEAD", "HEAD~1")]
    run(clone, "gc", "-q")
    (index,) = (clone / ".git/objects/pack").glob("*.idx")
    content = index.read_bytes()
    count = struct.unpack_from(">L", content, 8 + 4 * 255)[0]
    names = [content[1032 + 20 * each : 1052 + 20 * each].hex() for each in range(count)]
    offsets_at = 1032 + 24 * count
    spots = [offsets_at + 4 * names.index(blob) for blob in blobs]
    changed = bytearray(content)
    for spot, other in (spots, spots[::-1]):
        changed[spot : spot + 4] = content[other : other + 4]
    index.chmod(0o644)
    index.write_bytes(bytes(changed))
    found = read(clone)
    assert not found.sources
    assert "is not what its id says" in found.refused["relu"]


@pytest.mark.parametrize("which", ["commit", "tree"])
@pytest.mark.parametrize("content", [b"", b"rubbish", zlib.compress(b"rubbish"), zlib.compress(b"commit 9\0rubbish..")])
def test_rubbish_is_told_in_our_words(clone, which, content):
    name = run(clone, "rev-parse", "HEAD" if which == "commit" else "HEAD^{tree}")
    loose(clone, name).write_bytes(content)
    found = read(clone)
    assert not found.sources
    (told,) = found.problems
    assert name[:12] in told
    assert not {"usage", "fatal", "error:"}.intersection(told.split())


@pytest.mark.parametrize("date", [b"99999999999999999999", b"0", b"-5", b"noon", b"", b"4000000000000"])
def test_a_date_that_cannot_be_is_not_in_time(clone, date):
    head = run(clone, "rev-parse", "HEAD")
    raw = subprocess.run(["git", "cat-file", "commit", head], cwd=clone, capture_output=True, check=True).stdout
    made = re.sub(rb"(?m)^(committer .*> ).*$", rb"\g<1>" + date + b" +0000", raw)
    write = ["git", "hash-object", "--literally", "-t", "commit", "-w", "--stdin"]
    odd = subprocess.run(write, cwd=clone, input=made, capture_output=True, check=True).stdout.decode().strip()
    (clone / ".git/refs/heads/main").write_text(f"{odd}\n")
    found = read(clone, Commit(until=NOON + timedelta(minutes=30)))
    assert found.sources == {"relu": b"at noon"}
    assert any("not read, with a date that cannot be" in told and odd[:12] in told for told in found.problems)
    found = read(clone)
    assert (found.sources, found.submitted) == ({"relu": b"at one"}, "")


@pytest.mark.parametrize(
    "course", [Course(at="head"), Course(tag="v1"), Course(deadline=Deadline(NOON), at="deadline")]
)
def test_where_a_commit_is_wanted_the_files_of_a_worktree_are_not_read(clone, course):
    run(clone, "worktree", "add", "-q", "--detach", "../bob")
    (clone.parent / "eve").mkdir()
    (clone.parent / "eve/.git").symlink_to(clone / ".git")
    write(clone.parent, f"eve/{RELU}", "not committed")
    found = {place.name: place.read() for place in places.find(clone.parent, course)}
    for name in ("bob", "eve"):
        assert not found[name].sources
        assert "its commits are elsewhere and nothing was read" in found[name].problems[0]
    found = {place.name: place.read() for place in places.find(clone.parent, Course())}
    assert (found["bob"].sources, found["bob"].problems) == ({"relu": b"at one"}, ())


def test_a_git_file_or_link_is_no_repository(tmp_path, clone):
    write(tmp_path, "bob/.git", f"gitdir: {clone}/.git\n")
    assert git.git_folder(tmp_path / "bob") is None
    (tmp_path / "eve").mkdir()
    (tmp_path / "eve/.git").symlink_to(clone / ".git")
    assert git.git_folder(tmp_path / "eve") is None


def test_a_clone_in_a_folder_is_read_at_its_commit_and_of_two_none_is_guessed(clone, tmp_path):
    inner = tmp_path / "wrapped" / "ada" / "week2-ada"
    shutil.copytree(clone, inner)
    write(inner, RELU, b"not committed")
    write(tmp_path / "wrapped" / "ben", RELU, b"")
    ada, _ = places.find(tmp_path / "wrapped", Course(at="head"))
    assert (ada.read().sources, bool(ada.read().commit)) == ({"relu": b"at one"}, True)
    assert places.find(tmp_path / "wrapped")[0].read().sources == {"relu": b"not committed"}
    shutil.copytree(clone, inner.with_name("again"))
    ada, _ = places.find(tmp_path / "wrapped", Course(at="head"))
    assert not ada.read().sources
    assert "2 clones lie in it (again, week2-ada)" in ada.read().problems[0]
