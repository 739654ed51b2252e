"""The cache of flow files: when it is used, and when it is not."""

import os
from pathlib import Path

import pytest

from flow_spec import FlowFileError, FlowSpec
from orchesjob_flow_airflow.flow_as_dag.files import read_flow_file

FLOW = "{{flow_id: f, steps: [{{id: {}, command: [x]}}]}}"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of Airflow."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("AIRFLOW_HOME", str(home))
    return home


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A flow file with a step `a`."""
    path = tmp_path / "flow.yaml"
    path.write_text(FLOW.format("a"), encoding="utf-8")
    return path


def read(path: Path) -> FlowSpec:
    return read_flow_file(str(path), str(path.parent))


def ids(flow: FlowSpec) -> list[str]:
    return [step.id for step in flow.steps]


def entry(home: Path) -> Path:
    (place,) = (home / "orchesjob-flow").iterdir()
    return place


def test_cached(home: Path, path: Path) -> None:
    """The cached flow is returned as long as the file is the same to the byte."""
    assert ids(read(path)) == ["a"]
    text = entry(home).read_text(encoding="utf-8")
    entry(home).write_text(text.replace('"a"', '"cached"'), encoding="utf-8")
    assert ids(read(path)) == ["cached"]
    path.write_text(FLOW.format("b"), encoding="utf-8")
    assert ids(read(path)) == ["b"]
    assert entry(home).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "no digest", "{digest}\nno flow", "{digest}\n{{}}"])
def test_damaged(home: Path, path: Path, text: str) -> None:
    """If the cache is damaged, the file is read and cached again."""
    read(path)
    good = entry(home).read_text(encoding="utf-8")
    entry(home).write_text(text.format(digest=good.partition("\n")[0]), encoding="utf-8")
    assert ids(read(path)) == ["a"]
    assert entry(home).read_text(encoding="utf-8") == good


def test_a_missing_home(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home for the cache, files are read each time."""
    monkeypatch.setenv("AIRFLOW_HOME", "/nonexistent/home")
    assert ids(read(path)) == ids(read(path)) == ["a"]


def test_a_wrong_file_is_not_cached(home: Path, path: Path) -> None:
    """A wrong file is an error each time it is read, and so is a missing one."""
    path.write_text(FLOW.format("-"), encoding="utf-8")
    for _ in range(2):
        with pytest.raises(FlowFileError, match=r"steps\[0\]\.id"):
            read(path)
    path.unlink()
    with pytest.raises(FlowFileError, match="no such file"):
        read(path)
    assert not os.listdir(home)  # noqa: PTH208 - all there is


def test_versions_of_a_bundle_share_an_entry(home: Path, path: Path) -> None:
    """A new folder for each version of a bundle does not fill the home."""
    for version in ("1", "2"):
        folder = path.parent / version / "dags"
        folder.mkdir(parents=True)
        (folder / "flow.yaml").write_text(FLOW.format(f"v{version}"), encoding="utf-8")
        assert ids(read(folder / "flow.yaml")) == [f"v{version}"]
    assert entry(home).exists()
