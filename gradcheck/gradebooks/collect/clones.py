"""What a learner's repository shows from outside: its newest commit, and what of the release it has changed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gradcheck.errors import GradcheckError
from gradcheck.gradebooks.collect.manifest import FILE, Manifest, changes, manifest_in
from gradcheck.submissions import git_objects
from gradcheck.submissions.finder import holds_work
from gradcheck.submissions.folder import FolderTree, opened
from gradcheck.submissions.git import git_folder
from gradcheck.submissions.layout import Refused
from gradcheck.submissions.places import Place


@dataclass(frozen=True)
class Clone:
    """A submission that `gradcheck grade` can read: a clone, a checkout or an archive. `commit` is HEAD's, empty where
    there is none; `changed` is what differs from the release, apart from exercises.
    """

    name: str
    commit: str = ""
    changed: tuple[str, ...] = ()


def is_clone(path: Path) -> bool:
    """Whether a folder is somebody's work rather than a place for result files."""
    if git_folder(path) is not None or (path / ".git").exists():
        return True
    try:
        with opened(path) as folder:
            return holds_work(FolderTree(folder))
    except OSError:
        return False


def clone_at(place: Place, release: Manifest | None) -> Clone:
    """What a place shows. Nothing in it can make this fail."""
    path = Path(place.path)
    if not place.is_folder:
        return Clone(place.name)
    commit = ""
    repository = git_folder(path)
    with suppress(OSError, Refused):
        if repository is not None:
            with opened(repository) as folder:
                commit = git_objects.head(folder) or ""
    if repository == path:  # a bare one has no files to compare
        return Clone(place.name, commit)
    with suppress(OSError), opened(path) as folder:
        return Clone(place.name, commit, tuple(changes(path, folder, release)))
    return Clone(place.name, commit)


def load_release(root: Path) -> Manifest:
    """The manifest of a release's folder. Raises GradcheckError."""
    try:
        with opened(root.resolve()) as folder:
            found = manifest_in(folder)
    except OSError as error:
        raise GradcheckError(f"{root} cannot be read: {error.strerror or error}; give the release's folder") from None
    except Refused as reason:
        raise GradcheckError(f"{root}: {reason}; make the release anew with gradcheck release") from None
    if found is None:
        raise GradcheckError(f"there is no {FILE} in {root}; give the folder that gradcheck release made")
    return found
