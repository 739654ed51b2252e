"""The map `env` of a flow and of a step: names and texts for a process (rule 9.12)."""

from collections.abc import Callable

import pytest

from flow_spec import flaw_of_setting

type Complaints = Callable[..., list[str]]

STEPS = "steps: [{id: A, command: [x]}]"


OWN = "must not begin with ORCHESJOB_, which orchesjob and this program use"
SPELLED = "must be made of A-Z, a-z, 0-9 and _, and not begin with a digit"
BREAKING = "would also change how orchesjob itself starts; set it inside the command: "
WRONG = [
    ("[A=1]", "env: must be a mapping of names to texts, such as {LANG: C}; got a list"),
    ("{1A: x}", f'env["1A"]: {SPELLED}, got "1A"'),
    ('{"": x}', f'env[""]: {SPELLED}, got ""'),
    ("{ORCHESJOB_HOME: /x}", f"env.ORCHESJOB_HOME: {OWN}"),
    ("{PYTHONHOME: /x}", f"env.PYTHONHOME: {BREAKING}[env, PYTHONHOME=VALUE, PROGRAM]"),
    ("{LD_PRELOAD: x.so}", f"env.LD_PRELOAD: {BREAKING}[env, LD_PRELOAD=VALUE, PROGRAM]"),
    ("{A: }", 'env.A: is empty; write A: "" for empty text'),
    ('{A: "\\0"}', "env.A: must not contain the character U+0000"),
]


@pytest.mark.parametrize(("env", "message"), WRONG)
def test_what_no_process_can_be_given_is_an_error(
    complaints: Complaints, env: str, message: str
) -> None:
    """A bad name and a bad value are reported where they stand (rules 2.6 and 9.12)."""
    (line,) = complaints(f"flow_id: f\nenv: {env}\n{STEPS}")
    assert line.startswith("f:2:")
    assert f": {message}" in line
    (line,) = complaints(f"flow_id: f\nsteps:\n- id: A\n  command: [x]\n  env: {env}")
    assert f": steps[0].{message.replace('line 2', 'line 5')}" in line


def test_names_that_break_nothing() -> None:
    """What leaves orchesjob's own start as it is may be set."""
    for name in ("PYTHON_VERSION", "PYTHONUNBUFFERED", "LDFLAGS", "MY_LD_"):
        assert flaw_of_setting(name, "1") is None


def test_a_name_shares_the_space_of_its_value() -> None:
    """Linux passes no more than 128 KiB in one variable, its name and the NUL included."""
    most = 128 * 1024 - 1 - len("NAME=")
    assert flaw_of_setting("NAME", "x" * most) is None
    assert "131,066 bytes" in str(flaw_of_setting("NAME", "x" * (most + 1)))


@pytest.mark.parametrize("path", ['""', "[a]", '"a\\nb"', "x" * 4097])
def test_no_directory(complaints: Complaints, path: str) -> None:
    """`working_dir` is printable text of 1 to 4096 characters (rule 9.12)."""
    (line,) = complaints(f"flow_id: f\nworking_dir: {path}\n{STEPS}")
    assert line.startswith("f:2:14: working_dir: must")
