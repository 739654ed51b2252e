"""Which orchesjob is used (rule 6.2)."""

from pathlib import Path

import pytest

from orchesjob_client import OrchesjobMissing, locate


def make(folder: Path, name: str = "orchesjob", mode: int = 0o755) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.touch()
    path.chmod(mode)
    return str(path)


def test_order(tmp_path: Path) -> None:
    """The one asked for, else ORCHESJOB_BIN, else PATH, else the one beside this Python."""
    asked, named = make(tmp_path / "asked"), make(tmp_path / "named")
    on_path, beside = make(tmp_path / "path"), make(tmp_path / "beside")
    environ = {"ORCHESJOB_BIN": named, "PATH": str(Path(on_path).parent)}
    folder = Path(beside).parent
    assert locate(asked, environ, beside=folder) == asked
    assert locate(None, environ, beside=folder) == named
    assert locate("", environ | {"ORCHESJOB_BIN": ""}, beside=folder) == on_path
    assert locate(None, {"PATH": "/nonexistent"}, beside=folder) == beside
    assert locate(None, {}, beside=folder) == beside


@pytest.mark.parametrize("source", ["explicit", "environment"])
def test_bare_name(tmp_path: Path, source: str) -> None:
    """A bare name is looked up on PATH."""
    other = make(tmp_path, "my-orchesjob")
    environ = {"PATH": str(tmp_path)}
    if source == "explicit":
        assert locate("my-orchesjob", environ) == other
    else:
        assert locate(None, environ | {"ORCHESJOB_BIN": "my-orchesjob"}) == other


def test_answer_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is taken from here, since the runner may go elsewhere."""
    path = make(tmp_path / "bin")
    monkeypatch.chdir(tmp_path)
    assert locate("bin/orchesjob", {}) == path
    assert locate(None, {"PATH": "bin"}) == path


@pytest.mark.parametrize("mode", [None, 0o644, "folder"])
def test_a_named_one_must_exist(tmp_path: Path, mode: int | str | None) -> None:
    """There is no falling back from one that was named."""
    path = tmp_path / "named"
    if mode == "folder":
        path.mkdir()
    elif isinstance(mode, int):
        make(tmp_path, "named", mode)
    fallback = make(tmp_path / "beside")
    environ = {"ORCHESJOB_BIN": str(path), "PATH": "/nonexistent"}
    for explicit in (None, str(path)):
        with pytest.raises(OrchesjobMissing) as caught:
            locate(explicit, environ, beside=Path(fallback).parent)
        assert caught.value.filename == str(path)
        assert str(path) in str(caught.value)


def test_nowhere(tmp_path: Path) -> None:
    """If there is none at all, the error says where it was looked for."""
    with pytest.raises(OrchesjobMissing, match="neither on PATH nor in") as caught:
        locate(None, {"PATH": str(tmp_path)}, beside=tmp_path)
    assert str(tmp_path) in str(caught.value)
