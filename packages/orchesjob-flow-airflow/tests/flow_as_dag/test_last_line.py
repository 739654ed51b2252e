"""The last line of a command's output as the XCom of its task, if that is asked for (rule 13.4)."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Airflow

ASKED = "x-airflow: {do_xcom_push: true}"
PUSHED = "default_args={'do_xcom_push': True}"


@pytest.mark.parametrize(
    ("fields", "given", "xcom"),
    [
        ("", "", None),
        (ASKED, "", "two"),
        ("", PUSHED, "two"),
        ("x-airflow: {do_xcom_push: false}", PUSHED, None),
    ],
)
def test_it_is_pushed_if_asked_for(
    airflow: "Airflow", fields: str, given: str, xcom: str | None
) -> None:
    """Nobody's output is in Airflow's database unless a file says so (rule 13.4)."""
    airflow.write(
        f"{{flow_id: f, steps: [{{id: a, command: [sh, -c, 'echo one; echo two'], {fields}}}]}}"
    )
    assert airflow.run(airflow.load(f"'flow.yaml', {given}")) == ("success", {"a": "success"})
    assert airflow.xcom("a") == xcom


def last_line_of(tmp_path: Path, content: bytes) -> str | None:
    from orchesjob_flow_airflow.flow_as_dag.attempts import last_line

    path = tmp_path / "stdout"
    path.write_bytes(content)
    return last_line(str(path), logging.getLogger(__name__))


KIB_64 = 1 << 16


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"one\ntwo\n", "two"),
        (b"one\ntwo", "two"),
        (b"one\n\n  \n", "one"),
        (b"one\r\n", "one"),
        (b"  one  \n", "  one"),
        (b"\xff\xc3\xa9\n", "\ufffdé"),
        (b"x" * (KIB_64 - 1) + b"\n", "x" * (KIB_64 - 1)),
        (b"x" * KIB_64, "x" * KIB_64),
        (b"y" * 3 * KIB_64 + b"\nlast\n", "last"),
        (b"y\n" + b"x" * (KIB_64 - 1), "x" * (KIB_64 - 1)),
    ],
)
def test_the_last_line(tmp_path: Path, content: bytes, line: str) -> None:
    """It is the last one that is not blank, however much is before it (rule 13.4)."""
    assert last_line_of(tmp_path, content) == line


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the command has printed no line"),
        (b"\n \n", "the command has printed no line"),
        (b"one\n" + b"x" * (KIB_64 + 1), "the last line has more than 65536 bytes"),
    ],
)
def test_no_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes, reason: str
) -> None:
    """Where there is none, or a part of one, nothing is pushed, and the log says why (13.4)."""
    assert last_line_of(tmp_path, content) is None
    assert caplog.messages == [f"no XCom is pushed: {reason}"]


def test_no_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """That the output cannot be read is no failure of the step (rule 13.2)."""
    from orchesjob_flow_airflow.flow_as_dag.attempts import last_line

    path = os.fspath(tmp_path / "none")
    assert last_line(path, logging.getLogger(__name__)) is None
    assert "the output of the command cannot be read: [Errno 2]" in caplog.text
