"""Remove a run's directory, and swap one of its folders at each moment of that in turn.

A moment is a call by which Python opens, lists, changes or removes something, as audit hooks see
it. Such a hook stays for good, so this is a program of its own. It is given an empty folder, prints
how many moments it has tried, and fails if anything outside the run's directory has changed.
"""

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from orchesjob_flow.home.paths import remove_run_directory

FOLDERS = ("a", "a/b", "a/b/c", "a/b/d")
SWAPPED = FOLDERS[:-1]
LOCKED = {"a/b/c": 0o500, "a": 0}


def make_tree(path: Path, folders: Iterable[str]) -> None:
    for name in ("", *folders):
        (path / name).mkdir(mode=0o755)
        (path / name / "file").touch(mode=0o644)


def link_to_folder(folder: Path, outside: Path) -> None:
    """Put a link to a folder outside in its place."""
    folder.rename(folder.with_name("aside"))
    folder.symlink_to(outside)


def link_to_file(folder: Path, outside: Path) -> None:
    """Put a link to a file outside in its place."""
    folder.rename(folder.with_name("aside"))
    folder.symlink_to(outside / "file")


def put_file(folder: Path, outside: Path) -> None:
    """Put a file of another folder in its place."""
    folder.rename(folder.with_name("aside"))
    folder.hardlink_to(outside / "file")


def move_out(folder: Path, outside: Path) -> None:
    """Move it away, beside folders of the same names."""
    folder.rename(outside / "moved")


class Moments:
    def __init__(self) -> None:
        self._left = 0
        self._action: Callable[[], None] | None = None

    def see(self, event: str, _details: object) -> None:
        if self._action is not None and (event == "open" or event.startswith("os.")):
            self._left -= 1
            if self._left == 0:
                action, self._action = self._action, None
                action()

    def act(self, number: int, action: Callable[[], None]) -> None:
        self._left, self._action = number, action

    def were_too_few(self) -> bool:
        """Tell whether there was no such moment; from now on nothing happens."""
        was_waiting, self._action = self._action is not None, None
        return was_waiting


def main(place: Path) -> None:
    outside, path = place / "outside", place / "k.run"
    make_tree(outside, [])
    for name in FOLDERS:
        (outside / Path(name).name).mkdir()
    before = {one: one.lstat().st_mode for one in (outside, *outside.rglob("*"))}
    moments = Moments()
    sys.addaudithook(moments.see)
    tried = 0
    for way in (link_to_folder, link_to_file, put_file, move_out):
        for name in SWAPPED:
            number = 1
            while swap(path, name, lambda folder: way(folder, outside), moments, number):  # noqa: B023 - called at once
                remove_run_directory(outside / "moved")
                after = {one: one.lstat().st_mode for one in (outside, *outside.rglob("*"))}
                assert after == before, (way.__name__, name, number)
                number += 1
            tried += number
    print(tried)  # noqa: T201 - that is its result


def swap(path: Path, name: str, way: Callable[[Path], None], moments: Moments, number: int) -> bool:
    """Remove a directory in which a folder is swapped; return whether there was such a moment."""
    make_tree(path, FOLDERS)
    for locked, mode in LOCKED.items():
        (path / locked).chmod(mode)

    def act() -> None:
        with suppress(FileNotFoundError):  # it was removed before
            for folder in (path / "a", path / name):
                folder.chmod(0o700)
            way(path / name)

    moments.act(number, act)
    with suppress(OSError):
        remove_run_directory(path)
    was_over = moments.were_too_few()
    remove_run_directory(path)
    return not was_over


if __name__ == "__main__":
    main(Path(sys.argv[1]))
