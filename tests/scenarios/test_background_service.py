"""The recipe for background services, as its page shows it, without orchesjob on `PATH`."""

import re
from pathlib import Path

import pytest

from support.answers import outcomes
from support.files import write_program
from support.flow import Flow

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "background-services.md"
SERVER = """#!/bin/sh
echo "$@" >up
until [ -e down ]; do sleep 0.05; done
"""
TESTS_THAT_END_IT = """#!/bin/sh
touch down
until "$ORCHESJOB_BIN" status --run-key k:server | grep -q SUCCEEDED; do sleep 0.05; done
"""


@pytest.mark.parametrize("ends_by_itself", [False, True])
def test_the_recipe(each_flow: Flow, tmp_path: Path, *, ends_by_itself: bool) -> None:
    """The server runs beside the tests and is stopped, or has ended by itself (rule 9.13)."""
    flow = each_flow
    shown = r"<!-- file: tests-on-a-server.yaml -->\n```yaml\n(.*?)```"
    (text,) = re.findall(shown, PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (flow.folder / "flow.yaml").write_text(text, encoding="utf-8")
    write_program(flow.folder / "server", SERVER)
    tests = TESTS_THAT_END_IT if ends_by_itself else "#!/bin/sh\ntest -e up\n"
    write_program(flow.folder / "run-tests", tests)
    programs = tmp_path / "programs"
    programs.mkdir()
    write_program(programs / "curl", "#!/bin/sh\ntest -e up\n")
    flow.environ.pop("ORCHESJOB_BIN", None)
    flow.environ["PATH"] = f"{programs}:/usr/bin:/bin"
    run = flow.ask(f"--orchesjob-bin={flow.orchesjob.path}", "start", "--run-key=k", "flow.yaml")
    assert outcomes(run) == dict.fromkeys(["serve", "test", "stop"], "SUCCEEDED")
    assert (flow.folder / "up").read_text(encoding="utf-8") == "--port 8080\n"
    ended = flow.orchesjob.status("k:server")["status"]
    assert ended == ("SUCCEEDED" if ends_by_itself else "ABORTED")
