"""`glob` of a `foreach` (rule 2.8), and `produces` (rule 10.10)."""

import glob
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flow_spec import ListError, note_files, parse_flow, read_list, unwritten
from flow_spec.documents import source
from flow_spec.fields.records import ProducedFile

# `glob` of a `foreach`: which names match a pattern, and how long that takes (rule 2.8).

TREE = """
    a.csv b.csv .hidden.csv [z] empty/ one/a.csv one/b.txt one/.h/c.csv one/two/c.csv
    one/two/a/b.csv two/a.csv two/one/a.csv two/one/two/one/b.csv .h/a.csv
"""
PATTERNS = """
    *.csv * */*.csv ** **/*.csv **/one/** **/one/**/*.csv one/** one/**/ */ */*/ **/two/**/one/*
    [ab].csv ?.csv .* .*/*.csv [[]z] none none/* none/** a.csv a.csv/ a.csv/* one/a.csv one/ ./*.csv
    one//*.csv ../*/*.csv link/* */one/../*.csv **/a/.. one**/* dangling dangling/ l*/ **/a
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in TREE.split():
        path = tmp_path / "tree" / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.touch()
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "a").mkdir(parents=True)
    (tmp_path / "tree" / "link").symlink_to(elsewhere)
    (tmp_path / "tree" / "dangling").symlink_to("nowhere")
    return tmp_path / "tree"


def names(pattern: str, below: Path) -> list[str]:
    return [*read_list("glob", pattern, {}, str(below))]


@pytest.mark.parametrize("pattern", PATTERNS.split())
def test_as_glob(tree: Path, pattern: str) -> None:
    """The names are those of Python's own `glob`, relative or not, sorted and each once."""
    for one in (pattern, f"{tree}/{pattern}"):
        expected = glob.glob(one, root_dir=tree, recursive=True)  # noqa: PTH207
        # Python 3.12 also gives folders that do not exist.
        assert names(one, tree) == sorted({it for it in expected if os.path.lexists(tree / it)})


def test_any_folders_twice(tree: Path) -> None:
    for pattern in ("**/**", "**/**/**/*.csv", "one/**/**"):
        once = pattern.replace("**/**", "**").replace("**/**", "**")
        assert names(pattern, tree) == names(once, tree)


def test_links_in_a_circle(tree: Path) -> None:
    """`**` does not follow a link to a folder around it, which would show everything again."""
    before = names("**", tree)
    (tree / "one" / "up").symlink_to("..")
    (tree / "one" / "two" / "itself").symlink_to(".")
    assert names("**", tree) == before


def test_many_ways_to_one_folder(tmp_path: Path) -> None:
    """A folder is looked into once, in however many ways several `**` match its path."""
    deep = tmp_path.joinpath(*["a"] * 100)
    deep.mkdir(parents=True)
    (deep / "x.conf").touch()
    began = time.process_time()
    assert names("**/a/**/a/**/a/**/a/**/*.conf", tmp_path) == ["a/" * 100 + "x.conf"]
    assert time.process_time() - began < 2


def test_too_many_folders(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # To make the 50,000 folders of the real limit would take longer than all other tests of it.
    monkeypatch.setattr(source, "MOST_FOLDERS", 8)
    assert names("*/*.csv", tree)
    with pytest.raises(ListError, match="looks into more than 8 folders; begin it"):
        names("**/*.csv", tree)


# `produces`: which files count as written, and what is said of those that do not (rule 10.10).

OLD = 1_796_000_400  # 2026-11-30 01:00 UTC
DONE = ProducedFile("done", empty=True)


def write(name: str, text: str = "x") -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")


def nothing() -> None:
    """Do nothing, and succeed."""


def copy_with_old_time() -> None:
    """Replace the file by an older one, as `cp -p` does."""
    write("source")
    os.utime("source", (1, 1))
    shutil.copy2("source", "old")


def link_anew(target: str, name: str = "link") -> Callable[[], None]:
    """Return what lets a link lead to another target, as `ln -sfn` does."""

    def act() -> None:
        Path(name).unlink()
        Path(name).symlink_to(target)

    return act


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with some files of an earlier run, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    for name in ("old", "done", "dir/a", "dir/sub/b", "other/a", "a*b"):
        write(name)
        os.utime(name, (OLD, OLD))
    Path("link").symlink_to("old")
    Path("latest").symlink_to("dir")
    return tmp_path


WRITTEN: list[tuple[Any, Callable[[], object]]] = [
    ("new", lambda: write("new")),
    ("old", lambda: write("old")),
    ("old", copy_with_old_time),
    ("old", lambda: Path("a*b").replace("old")),
    ("old", lambda: os.utime("old", (OLD, OLD))),
    ("old", lambda: Path("old").chmod(0o600)),
    (DONE, lambda: write("done", "")),
    (DONE, lambda: Path("done").touch()),
    ("dir", lambda: write("dir/sub/c")),
    ("dir/", lambda: write("dir/a")),
    (ProducedFile("dir", empty=True), lambda: write("dir/c", "")),
    ("fresh", lambda: write("fresh/deep/c")),
    ("dir/*", lambda: write("dir/c")),
    ("**/b", lambda: write("dir/sub/b")),
    ("d?r/**", lambda: write("dir/sub/c")),
    ("link", link_anew("a*b")),
    ("link", link_anew("old")),
    ("link", lambda: write("old")),
    ("latest", lambda: write("dir/a")),
    ("latest", link_anew("other", "latest")),
    ("a[*]b", lambda: write("a*b")),
    ("[x]", lambda: write("[x]")),
    ("[x]*", lambda: write("[x]y")),
    ("[x]", lambda: write("[x]/y")),
]


@pytest.mark.parametrize(("product", "act"), WRITTEN, ids=map(str, range(len(WRITTEN))))
def test_written(product: Any, act: Callable[[], object]) -> None:
    """Any change of inode, size or `st_ctime` counts, whatever the clock of the file says."""
    noted = note_files([product], ".")
    act()
    assert unwritten([product], ".", noted) is None
    again = note_files([product], ".")
    assert unwritten([product], ".", again) is not None


NOT_WRITTEN: list[tuple[Any, Callable[[], object], str]] = [
    ("new", nothing, "new: there is no such file"),
    ("new/", lambda: write("new"), "new/: there is no such file"),
    ("new", lambda: Path("new").mkdir(), "new: there is no such file"),
    ("new", lambda: write("new", ""), "new, which is empty"),
    ("old", nothing, "old, which is from 2026-11-30 01:00"),
    ("./old", nothing, "./old, which is from 2026-11-30 01:00"),
    ("old", lambda: write("old", ""), "old, which is empty"),
    ("old", lambda: Path("old").unlink(), "old: there is no such file"),
    ("link", lambda: Path("old").unlink(), "link: there is no such file"),
    (DONE, nothing, "done, which is from 2026-11-30 01:00"),
    ("dir", nothing, "dir, where dir/"),
    ("dir", lambda: write("dir/c", ""), "dir, where dir/c is empty"),
    ("dir", lambda: Path("dir/new").mkdir(), "dir, where dir/"),
    ("dir", lambda: write("dir/.hidden"), "dir, where dir/"),
    ("dir", lambda: shutil.rmtree("dir"), "dir: there is no such file"),
    ("*.csv", nothing, "*.csv: there is no such file"),
    ("o*", lambda: Path("out").mkdir(), "o*, where old is from 2026-11-30 01:00"),
    ("a[*]b", lambda: write("axb"), "a*b, which is from 2026-11-30 01:00"),
]


@pytest.mark.parametrize(
    ("product", "act", "flaw"), NOT_WRITTEN, ids=map(str, range(len(NOT_WRITTEN)))
)
def test_not_written(product: Any, act: Callable[[], object], flaw: str) -> None:
    """The flaw names the path as the file spells it, and what is there instead."""
    noted = note_files([product], ".")
    act()
    assert (unwritten([product], ".", noted) or "").startswith(f"has not written {flaw}")


def test_each_must_be_written(folder: Path) -> None:
    """One that is missing is enough, and relative paths start in the directory of the step."""
    products = ["old", "new", "dir"]
    noted = note_files(products, str(folder))
    os.chdir("/")
    write(f"{folder}/dir/c")
    assert unwritten(products, str(folder), noted) == (
        "has not written old, which is from 2026-11-30 01:00, and 1 more of its files"
    )


def test_too_many_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many files are noted, and no more; afterwards there may be any number."""
    # To make the 10,000 files of the real limit would take longer than all other tests of it.
    monkeypatch.setattr("flow_spec.products.MOST_FILES", 3)
    noted = note_files(["dir", "old"], ".")
    for number in range(9):
        write(f"dir/{number}")
    assert unwritten(["dir"], ".", noted) is None
    with pytest.raises(ListError, match=r"dir in produces: matches more than 3 files already"):
        note_files(["old", "dir"], ".")


@pytest.mark.parametrize("value", ["*", "?ld", "[o]ld", "a*b"])
def test_filled_values_are_literal(value: str) -> None:
    """What was filled in is no pattern, wherever the written text has one (rule 10.2)."""
    write(f"{value}.csv")
    flow = parse_flow(
        "{flow_id: f, params: {P: x}, steps: [{id: a, command: [x],"
        " produces: ['${{ P }}.csv', {path: '${{ P }}.*', empty: true}]}]}"
    )
    (step,) = flow.with_params({"P": value}).filled_without_run().steps
    noted = note_files(step.produces, ".")
    write("xld.csv")
    write("anything.csv")
    assert unwritten(step.produces, ".", noted) is not None
    write(f"{value}.csv")
    assert unwritten(step.produces, ".", noted) is None
