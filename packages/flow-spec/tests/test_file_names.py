"""`glob` of a `foreach`: which names match a pattern, and how long that takes (rule 2.8)."""

import glob
import os
import time
from pathlib import Path

import pytest

from flow_spec import ListError, read_list
from flow_spec.documents import source

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
    """A folder with files, folders and links."""
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
