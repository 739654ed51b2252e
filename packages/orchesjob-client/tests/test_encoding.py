"""What orchesjob is told, in one encoding, and which answers mean the same (rule 5.12)."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchesjob_client import CallRefused, JobReport, OrchesjobClient

type Answer = Callable[..., dict[str, Any]]
type Executable = Callable[[str], str]

LATIN_1 = {"LC_ALL": "de_DE", "PATH": os.defpath}
UNSET = ["/usr/bin/env", "-u", "PYTHONUTF8", "LC_ALL=de_DE"]


@pytest.fixture
def told(executable: Executable, tmp_path: Path) -> Callable[..., list[bytes]]:
    """Start a command; return the words from which orchesjob begins to read it, and its locale."""
    path = executable(
        f'printf "%s\\n" "$@" "$LC_ALL" "$PYTHONUTF8" > {tmp_path}/told; exit 1',
    )

    def start(key: str, command: Sequence[str], env: Mapping[str, str]) -> list[bytes]:
        with pytest.raises(Exception, match="exit 1"):
            OrchesjobClient(path).start(key, command, env=env)
        lines = (tmp_path / "told").read_bytes().split(b"\n")[:-1]
        return lines[lines.index(b"--") + 1 :]

    return start


@pytest.mark.parametrize(
    ("variables", "lead"),
    [
        ({"LANG": "C"}, None),
        ({"LANG": "C", "LC_ALL": ""}, None),
        ({"LANG": "de_DE", "LC_CTYPE": "de_DE.UTF-8@euro"}, None),
        ({"LC_ALL": "C", "PYTHONUTF8": "1"}, None),
        ({"LC_ALL": "de_DE"}, UNSET),
        ({"LC_ALL": "de_DE", "PYTHONUTF8": "1"}, ["/usr/bin/env", "LC_ALL=de_DE", "PYTHONUTF8=1"]),
        ({"LC_CTYPE": "de_DE"}, ["/usr/bin/env", "-u", "LC_ALL", "-u", "PYTHONUTF8"]),
    ],
)
@pytest.mark.parametrize(("key", "word"), [("k", "für"), ("ü", "x")])
def test_start_in_utf8(
    told: Callable[..., list[bytes]],
    variables: Mapping[str, str],
    lead: list[str] | None,
    key: str,
    word: str,
) -> None:
    """What orchesjob reads is UTF-8; its command gets back the environment that it was to have."""
    *words, lc_all, utf8 = told(key, ["echo", word], {"PATH": os.defpath, **variables})
    assert words == [part.encode() for part in (*(lead or ()), "echo", word)]
    if lead is not None:
        assert (lc_all, utf8) == (b"C.UTF-8", b"1")
    else:
        assert lc_all.decode() == variables.get("LC_ALL", "")
        assert utf8.decode() == variables.get("PYTHONUTF8", "")


def test_ascii_is_the_same_everywhere(told: Callable[..., list[bytes]]) -> None:
    """A start that holds nothing but ASCII is left as it is."""
    assert told("k", ["echo", "x"], LATIN_1) == [b"echo", b"x", b"de_DE", b""]


def test_word_that_env_would_take(executable: Executable) -> None:
    """What cannot be passed on as it is meant is refused, and the way out is named."""
    client = OrchesjobClient(executable("exit 9"))
    with pytest.raises(CallRefused, match=r"'a=b' .*put sh -c before it"):
        client.start("ü", ["a=b"], env=LATIN_1)


@pytest.mark.parametrize(
    ("reported", "is_same"),
    [
        (["echo", "für"], True),
        (["echo", "f\udcc3\udcbcr"], True),
        (["echo", "fÃ¼r"], True),
        ([*UNSET, "echo", "für"], True),
        ([], True),
        (["echo", "fur"], False),
        (["echo", "für", ""], False),
        (["/usr/bin/env", "PATH=x", "echo", "für"], False),
        (["echo", "\ud800"], False),
    ],
)
def test_same_command(answer: Answer, reported: list[str], is_same: bool) -> None:
    """Whichever way orchesjob has read the bytes of a command, it is that command (rule 5.9)."""
    report = JobReport.from_payload(answer(command=reported))
    assert report.is_of(("echo", "für")) is is_same
