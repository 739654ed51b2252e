"""Did what the flow database says really happen?"""

import re

import pytest

from support.flow import Flow

from .recording import recording

pytestmark = pytest.mark.integration


def records(flow: Flow, *, code: int) -> list[tuple[str, str]]:
    """Return what `doctor` finds in the records, without explanations and advice."""
    found = [one for one in flow.ask("doctor", code=code)["checks"] if one["check"] == "records"]
    return [(one["verdict"], re.split(", started| \\(", one["message"])[0]) for one in found]


def test_an_audit(real_flow: Flow) -> None:
    """`doctor` counts what orchesjob confirms, and names each attempt that it does not (9.11)."""
    steps = [{"id": name, "command": recording(real_flow, "true")} for name in ("a", "b", "c")]
    run = real_flow.start("k", real_flow.write(*steps, {"id": "d", "command": ["false"]}), code=1)
    assert records(real_flow, code=0) == [("ok", "4 of 4 attempts match orchesjob's records")]

    real_flow.orchesjob.plant("k:a:1", status="FAILED", exit_code=7)
    real_flow.orchesjob.change("DELETE FROM jobs WHERE run_key IN ('k:b:1', 'k:c:1')")
    real_flow.orchesjob.start("k:b:1", "true")
    assert records(real_flow, code=1) == [
        ("problem", "k:a:1 is SUCCEEDED here, and FAILED with exit code 7 at orchesjob"),
        ("problem", "k:b:1 is SUCCEEDED here; orchesjob has another job under that key"),
        ("note", "k:c:1 is SUCCEEDED here; orchesjob no longer knows it"),
        ("problem", "1 of 4 attempts match orchesjob's records; 1 it no longer knows"),
    ]
    code, shown = real_flow.run_on_terminal("doctor", "--run-key=k", "--format=table")
    assert (code, shown.count("problem  records: k:")) == (1, 2)
    assert real_flow.status("k") == run
