"""The recipe for background services, as its page shows it, without orchesjob on `PATH`."""

import re
from pathlib import Path
from typing import Any

import pytest

from support.answers import outcomes
from support.files import write_program
from support.flow import Flow

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "background-services.md"
SERVER = """#!/bin/sh
echo "$@" >up
echo "listening on port 8080"
until [ -e down ]; do sleep 0.05; done
"""
TESTS_THAT_END_IT = """#!/bin/sh
touch down
until "$ORCHESJOB_BIN" status --run-key k:server | grep -q SUCCEEDED; do sleep 0.05; done
"""


def _recipe(flow: Flow) -> Flow:
    """The page's flow file in the folder of `flow`, which finds orchesjob by its option alone."""
    shown = r"<!-- file: tests-on-a-server.yaml -->\n```yaml\n(.*?)```"
    (text,) = re.findall(shown, PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (flow.folder / "flow.yaml").write_text(text, encoding="utf-8")
    flow.environ.pop("ORCHESJOB_BIN", None)
    flow.environ["PATH"] = "/usr/bin:/bin"
    return flow


def _run(flow: Flow, code: int = 0) -> Any:
    orchesjob = f"--orchesjob-bin={flow.orchesjob.path}"
    return flow.ask(orchesjob, "start", "--run-key=k", "flow.yaml", code=code)


@pytest.mark.integration
@pytest.mark.parametrize("ends_by_itself", [False, True])
def test_the_recipe(real_flow: Flow, *, ends_by_itself: bool) -> None:
    """The server runs beside the tests and is stopped, or has ended by itself (rule 9.13)."""
    flow = _recipe(real_flow)
    write_program(flow.folder / "server", SERVER)
    tests = TESTS_THAT_END_IT if ends_by_itself else "#!/bin/sh\ntest -e up\n"
    write_program(flow.folder / "run-tests", tests)
    run = _run(flow)
    assert outcomes(run) == dict.fromkeys(["serve", "test", "stop"], "SUCCEEDED")
    assert (flow.folder / "up").read_text(encoding="utf-8") == "--port 8080\n"
    ended = flow.orchesjob.status("k:server")["status"]
    assert ended == ("SUCCEEDED" if ends_by_itself else "ABORTED")
