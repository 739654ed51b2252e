"""Steps with a `script` as they run, and what is refused before one is recorded (rule 10.4)."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from support.flow import Flow


def output(step: Any, stream: str = "stdout") -> str:
    return Path(step["orchesjob_status"][f"{stream}_file"]).read_text(encoding="utf-8")


def without_bash(flow: Flow) -> Path:
    """Return a folder of programs for a PATH in which there is no bash."""
    folder = flow.folder / "bin"
    folder.mkdir()
    (folder / "sh").symlink_to("/bin/sh")
    return folder


def test_a_script_stops_where_something_fails(flow: Flow) -> None:
    """A failure in the middle or in a pipe, and an unset variable, fail the step (rule 10.4)."""
    scripts = {
        "right": 'false || true\ntrue | cat\necho "$ORCHESJOB_FLOW_STEP $0 ${NO_SUCH:-none}"',
        "middle": "false\ntrue",
        "pipe": "false | true\necho never",
        "unset": 'echo "$NO_SUCH"\ntrue',
        "syntax": "echo (",
        "sh": "false | true",
    }
    steps = [{"id": name, "script": script} for name, script in scripts.items()]
    steps[-1] |= {"shell": ["sh", "-c"]}  # type: ignore[dict-item]
    run = flow.start("k", flow.write(*steps), code=1)
    assert run["error"] == "4 steps failed: middle, pipe, unset, syntax"
    right, _, pipe, unset, syntax, _ = run["steps"]
    assert output(right) == "right right none\n"
    assert output(pipe) == ""
    assert output(unset, "stderr").startswith("unset: line 1: NO_SUCH: ")
    assert output(syntax, "stderr").startswith("syntax: -c: line 1: ")


@pytest.mark.integration
def test_a_script_reaches_its_shell_as_it_stands(real_flow: Flow) -> None:
    """The text is one word, quotes, blanks, line breaks and all (rule 10.4)."""
    text = 'import sys\nprint(repr("it\'s $HOME\\\\n\\tü"), len(sys.argv))\n'
    file = real_flow.write({"id": "a", "script": text, "shell": ["python3", "-X", "utf8", "-c"]})
    (step,) = real_flow.start("k", file)["steps"]
    assert output(step) == '"it\'s $HOME\\\\n\\tü" 1\n'


def test_a_script_of_yaml(flow: Flow) -> None:
    """What stands after `script: |` is run, and its command may be written out (10.4, 4.4)."""
    written = flow.folder / "flow.yaml"
    written.write_text("flow_id: f\nsteps:\n- id: a\n  script: |\n    echo '# one'\n    echo two\n")
    (step,) = flow.start("k", str(written))["steps"]
    assert output(step) == "# one\ntwo\n"
    command = ["bash", "-euo", "pipefail", "-c", "echo '# one'\necho two\n", "a"]
    assert flow.start("k", flow.write({"id": "a", "command": command}))["status"] == "SUCCEEDED"
    other = flow.write({"id": "a", "script": "echo one"})
    error = flow.refusal("start", "--run-key=k", other)
    assert 'step "a": script was "echo \'# one\'' in error["error"]


def test_no_bash_for_a_script(flow: Flow) -> None:
    """Without bash, no run is recorded, and `validate` says the same (rules 10.4 and 9.1)."""
    scripts = [{"id": f"s{number}", "script": "true"} for number in range(3)]
    file = flow.write({"id": "a", "command": ["true"]}, *scripts)
    other = flow.write({"id": "a", "script": "true", "shell": ["sh", "-c"]}, name="other.json")
    flow.environ["PATH"] = str(without_bash(flow))
    error = flow.refusal("start", "--run-key=k", file)
    assert error["error"] == (
        f"{file}: there is no bash in the PATH for the script of step s0 and of 2 more; "
        "install it, or name another shell in the key shell, such as [sh, -eu, -c]"
    )
    assert not flow.home.exists()
    found, right = flow.ask("validate", file, other, code=2)["files"]
    assert (found["problems"], right["valid"]) == (error["problems"], True)


def test_bash_is_looked_for_in_the_path_of_the_step(flow: Flow) -> None:
    """The `PATH` that counts is that of the step's process (rule 10.4)."""
    nowhere = {"PATH": str(without_bash(flow))}
    there = {"PATH": str(Path(str(shutil.which("bash"))).parent)}
    lost = flow.write({"id": "a", "script": "true", "env": nowhere}, name="lost.json", env=there)
    kept = flow.write({"id": "a", "script": "true", "env": there}, name="kept.json", env=nowhere)
    found = flow.ask("validate", lost, kept, code=2)["files"]
    assert [each["valid"] for each in found] == [False, True]
    flow.refusal("start", "--run-key=k", flow.write({"id": "a", "script": "true"}, env=nowhere))
    words = ("start", "--run-key=k", f"--env=PATH={there['PATH']}")
    assert flow.ask(*words, flow.write({"id": "a", "script": "true"}))["status"] == "SUCCEEDED"


def test_defaults_of_scripts_and_durations(flow: Flow) -> None:
    """What the file says once holds for every step that runs (rules 10.4 and 10.5)."""
    (flow.folder / "flow.yaml").write_text(
        "flow_id: f\n"
        "x-twice: &twice {retries: 1, retry_delay_sec: 0s}\n"
        "defaults: {shell: [sh, -euc], env: {A: all, B: all}, timeout_sec: 1h, <<: *twice}\n"
        "steps:\n"
        "- {id: a, script: 'echo $A $B', env: {B: own}}\n"
        "- {id: b, script: 'exit 3'}\n",
        encoding="utf-8",
    )
    a, b = flow.start("k", "flow.yaml", code=1)["steps"]
    assert output(a) == "all own\n"
    assert (b["attempt_no"], b["max_retries"]) == (2, 1)
