"""Where things lie, and how a run key becomes a file name (rules 4.1 and 6.1)."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchesjob_flow.errors import BadRunKey, UnsafePlace
from orchesjob_flow.home.paths import Home, check_run_key, encode_run_key, find_home
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.home.settings import Settings

NAME = "orchesjob-flow.sqlite3"
FLOW, JOB = "ORCHESJOB_FLOW_HOME", "ORCHESJOB_HOME"
USERS = str(Path.home() / ".local/share/orchesjob-flow" / NAME)


@pytest.mark.parametrize(
    ("option", "environ", "database"),
    [
        ("/x/y.db", {FLOW: "/f", JOB: "/j"}, "/x/y.db"),
        (None, {FLOW: "/f", JOB: "/j"}, f"/f/{NAME}"),
        (None, {JOB: "/j"}, f"/j/{NAME}"),
        (None, {}, USERS),
        ("", {FLOW: "", JOB: "/j"}, f"/j/{NAME}"),
        ("relative.db", {}, str(Path.cwd() / "relative.db")),
        (None, {FLOW: "relative"}, str(Path.cwd() / "relative" / NAME)),
    ],
)
def test_the_database(option: str | None, environ: dict[str, str], database: str) -> None:
    """The option wins, then the flow's home, then orchesjob's, then the user's (rule 6.1)."""
    assert str(find_home(option, environ).database) == database


def test_the_default_home_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody names a home, one that has never been used is empty (rule 6.13)."""
    monkeypatch.setenv("HOME", str(tmp_path))
    find_home(None, {}).refuse_missing()


@pytest.mark.parametrize(
    ("option", "environ"), [("flow.db", {}), (None, {FLOW: "home"}), (None, {JOB: "home"})]
)
def test_from_a_removed_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str | None, environ: dict[str, str]
) -> None:
    """A relative place cannot be found from a directory that is gone; the error says so (6.1)."""
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    with pytest.raises(UnsafePlace, match="the current directory has been removed"):
        find_home(option, environ)


def test_a_relative_home_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever HOME says, the database is named for every directory (rule 6.1)."""
    monkeypatch.setenv("HOME", "me")
    assert find_home(None, {}).database.is_relative_to(Path.cwd() / "me")


def test_logs_and_locks_lie_beside_it() -> None:
    """Logs and locks lie beside the database, named for the encoded run key (rule 6.3)."""
    home = Home(Path("/h/flow.db"))
    handle = RunHandle("a/b", Settings(home, None, 5.0, 60.0, {}))
    assert handle.lock_path == Path("/h/locks/a%2Fb.lock")
    assert handle.calls_lock_path == Path("/h/locks/a%2Fb.calls")
    assert home.run_directory("a/b") == Path("/h/runs/a%2Fb.run")
    assert home.run_directory("..") == Path("/h/runs/...run")
    assert handle.log("stdout") == Path("/h/logs/orchesjob-flow-a%2Fb.stdout.log")


@pytest.mark.parametrize("folder", [".", "logs", "locks", "runs"])
@pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
def test_a_folder_that_others_can_write(tmp_path: Path, folder: str, mode: int) -> None:
    """A folder that others can write is refused, with what repairs it (rule 6.1)."""
    home = Home(tmp_path / "home" / "flow.db")
    home.prepare()
    (tmp_path / "home" / folder).chmod(mode)
    with pytest.raises(UnsafePlace) as raised:
        home.prepare()
    assert str(raised.value).startswith(f"{tmp_path / 'home' / folder} can be written by others; `")


def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    """A home that belongs to another user is refused: one home for each user (rule 6.1)."""
    home = Path("/usr")
    if os.geteuid() == 0:
        home = tmp_path / "theirs"
        home.mkdir(mode=0o700)
        os.chown(home, 65534, -1)
    with pytest.raises(UnsafePlace, match=f"{home} belongs to another user"):
        Home(home / "flow.db").prepare()
    assert not (home / "locks").exists()


@pytest.mark.parametrize(
    ("run_key", "problem"),
    [
        ("", "the run key is empty"),
        ("x" * 256, "the run key has 256 characters"),
        ("a\nb", r"the run key holds '\n' as character 2"),
        ("\x1b", r"the run key holds '\x1b' as character 1"),
        ("ab\x7f", r"the run key holds '\x7f' as character 3"),
        ("a\u202eb", r"the run key holds '\u202e' as character 2"),
        ("\u2028", r"the run key holds '\u2028' as character 1"),
        ("\udcff", r"the run key holds '\udcff' as character 1"),
    ],
)
def test_bad_run_keys(run_key: str, problem: str) -> None:
    """What cannot be seen, is empty or too long names no run; the error says what is right."""
    with pytest.raises(BadRunKey) as raised:
        check_run_key(run_key)
    assert str(raised.value).startswith(f"{problem}; a run key is 1 to 255 characters")
    assert isinstance(raised.value, ValueError)


KEYS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=255)


@given(KEYS, KEYS)
@example("a/b", "a_b")
@example("a/b", "a%2Fb")
@example("é" * 200, "é" * 199 + "e")
def test_no_two_keys_make_one_name(one: str, other: str) -> None:
    """Different run keys have different file names (rule 4.1)."""
    assert (encode_run_key(one) == encode_run_key(other)) == (one == other)


@given(KEYS)
def test_every_name_is_a_good_file_name(run_key: str) -> None:
    """A name is ASCII, without a slash, and leaves room for what stands around it."""
    name = encode_run_key(run_key)
    assert name.isascii()
    assert "/" not in name
    assert "\0" not in name
    assert len(f"orchesjob-flow-{name}.stdout.log") <= 255


@pytest.mark.parametrize("length", [149, 150, 151, 255])
def test_long_keys_differ_in_their_last_character(length: int) -> None:
    """Keys that agree in all but their last character have names of their own."""
    assert encode_run_key("x" * length + "1") != encode_run_key("x" * length + "2")
