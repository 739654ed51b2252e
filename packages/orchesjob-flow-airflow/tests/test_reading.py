"""What is kept of a flow file, so that reading it again costs little."""

import os
from pathlib import Path

import pytest

from flow_spec import FlowFileError, FlowSpec
from orchesjob_flow_airflow.reading import read_flow

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


def ids(flow: FlowSpec) -> list[str]:
    return [step.id for step in flow.steps]


def kept(home: Path) -> Path:
    (place,) = (home / "orchesjob-flow").iterdir()
    return place


def test_read_once(home: Path, path: Path) -> None:
    """What is kept is what is returned, as long as the file is the same to the byte."""
    assert ids(read_flow(str(path))) == ["a"]
    text = kept(home).read_text(encoding="utf-8")
    kept(home).write_text(text.replace('"a"', '"kept"'), encoding="utf-8")
    assert ids(read_flow(str(path))) == ["kept"]
    path.write_text(FLOW.format("b"), encoding="utf-8")
    assert ids(read_flow(str(path))) == ["b"]
    assert kept(home).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "no digest", "{digest}\nno flow", "{digest}\n{{}}"])
def test_damaged(home: Path, path: Path, text: str) -> None:
    """What is damaged is read anew, and kept anew."""
    read_flow(str(path))
    good = kept(home).read_text(encoding="utf-8")
    kept(home).write_text(text.format(digest=good.partition("\n")[0]), encoding="utf-8")
    assert ids(read_flow(str(path))) == ["a"]
    assert kept(home).read_text(encoding="utf-8") == good


def test_a_home_that_is_not_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home to keep anything in, files are read each time."""
    monkeypatch.setenv("AIRFLOW_HOME", "/nonexistent/home")
    assert ids(read_flow(str(path))) == ids(read_flow(str(path))) == ["a"]


def test_a_wrong_file_is_not_kept(home: Path, path: Path) -> None:
    """A wrong file is an error each time it is read; so is one that is gone."""
    path.write_text(FLOW.format("-"), encoding="utf-8")
    for _ in range(2):
        with pytest.raises(FlowFileError, match=r"steps\[0\]\.id"):
            read_flow(str(path))
    path.unlink()
    with pytest.raises(FlowFileError, match="no such file"):
        read_flow(str(path))
    assert not os.listdir(home)  # noqa: PTH208 - all there is


def test_versions_of_a_bundle_share_a_place(home: Path, path: Path) -> None:
    """Folders of ever new names do not fill the home."""
    for version in ("1", "2"):
        folder = path.parent / version / "dags"
        folder.mkdir(parents=True)
        (folder / "flow.yaml").write_text(FLOW.format(f"v{version}"), encoding="utf-8")
        assert ids(read_flow(str(folder / "flow.yaml"))) == [f"v{version}"]
    assert kept(home).exists()
