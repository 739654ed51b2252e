"""Errors as people read them on a terminal (rule 6.11)."""

from pathlib import Path

import pytest

from flow_spec import FlowFileError, Mark, find_warnings, parse_flow, read_flow
from orchesjob_flow.views.error_layout import (
    Style,
    error_text,
    excerpt,
    flow_file_text,
    warning_text,
)
from orchesjob_flow.views.terminal import width

WIDE = "日本" * 30


def refused(text: str) -> FlowFileError:
    with pytest.raises(FlowFileError) as caught:
        parse_flow(text, source="night.yaml")
    return caught.value


def step(line: str) -> FlowFileError:
    return refused(f"flow_id: f\nsteps:\n  - id: a\n    command: [x]\n{line}\n")


def test_all_problems() -> None:
    """Each problem has its place, its line and carets; at the end they are counted."""
    error = step("    retries: many\n    when: b && c\n    tiemout: 5")
    text = flow_file_text(error, Style(80))
    assert text.startswith("error: steps[0].retries: must be an integer >= 0, got"), (
        "what is wrong comes first"
    )
    assert (" --> night.yaml:5:14\n  |\n5 |     retries: many\n  |              ^^^^\n") in text
    assert "6 |     when: b && c\n  |           ^\n" in text
    assert "6 |     when: b && c\n  |                ^\n" in text
    assert text.endswith("\n\nerror: 4 problems in night.yaml")
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("line", "shown", "carets"),
    [
        pytest.param("    when: '日本'", "    when: '日本'", "           ^^", id="wide"),
        pytest.param("    when: a\t!b", r"    when: a\t!b", "           ^^", id="a tab"),
        pytest.param(
            "    x-a\u202e: b\n    when: b", "    when: b", "          ^", id="bidi above"
        ),
        pytest.param('    when: "\u202eb"', r'    when: "\u202eb"', "           ^^^^^^", id="bidi"),
    ],
)
def test_carets_are_under_the_characters(line: str, shown: str, carets: str) -> None:
    """Wide letters, tabs and what would turn the line around take the columns that they show."""
    lines = flow_file_text(step(line), Style(80)).splitlines()
    place = next(number for number, text in enumerate(lines) if text.endswith(shown))
    assert lines[place + 1].partition(" | ")[2] == carets


@pytest.mark.parametrize("columns", [20, 40, 80])
@pytest.mark.parametrize(
    "line",
    [
        f"    when: {'c && ' * 40}no",
        f"    x-a: {WIDE}{WIDE}\n    when: '{'c || ' * 30}no {WIDE}'",
        f"    {'k' * 100}: 1",
    ],
    ids=["far to the right", "wide letters behind", "longer than the screen"],
)
def test_a_long_line(line: str, columns: int) -> None:
    """A line is cut around the characters that are meant, which stay on the screen."""
    for problem in flow_file_text(step(line), Style(columns)).split("\n\n"):
        lines = problem.splitlines()
        if len(lines) < 5:
            continue
        place = next(number for number, line in enumerate(lines) if line.lstrip()[:3] == "-->")
        line, below = lines[place + 2 : place + 4]
        shown, carets = line.partition("| ")[2], below.partition("| ")[2]
        assert all(width(one) <= columns for number, one in enumerate(lines) if number != place)
        assert carets.strip()
        assert width(shown) >= width(carets)


@pytest.mark.parametrize("room", [10, 21, 40, 79])
@pytest.mark.parametrize("length", [1, 5, 30, 200])
@pytest.mark.parametrize("column", [1, 8, 60, 200, 281])
def test_a_long_line_fills_the_room(room: int, length: int, column: int) -> None:
    """No more of a line is left out than does not fit; the marked characters come first."""
    text = ("0123456789" * 48)[: max(300, column + length - 1)]
    before, marked, after = excerpt(Mark(1, column, length, text), room)
    assert width(f"{before}{marked}{after}") == room
    whole = text[column - 1 : column - 1 + length]
    assert marked == whole or len(marked) >= room // 2
    for part, kept in ((before, before.removeprefix("...")), (after, after.removesuffix("..."))):
        assert kept in text
        assert len(part) - len(kept) in (0, 3)


def test_other_errors() -> None:
    """The sentence comes first, then each further key that says something, on a line of its own."""
    described = {
        "error": "no \x1b[2Jway\nthat goes",
        "help": "orchesjob-flow --help",
        "pid": None,
        "recorded": True,
        "stderr_log": "/a\nb",
        "conflicts": ["told already"],
    }
    assert error_text(described, Style(80)) == (
        "error: no \\x1b[2Jway\n"
        "  that goes\n"
        "  = help: orchesjob-flow --help\n"
        "  = stderr_log: /a\\nb"
    )


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (
            "    schedule: '@daily'",
            [
                "  = help: write the schedule in a crontab or a systemd",
                "    timer, which calls `orchesjob-flow run FLOW_FILE`",
            ],
        ),
        ("    when: it's", ["  = help: names are written without quotes"]),
    ],
)
def test_a_command_in_a_help_is_not_broken(line: str, lines: list[str]) -> None:
    """A remedy is wrapped around its commands, which can be copied whole."""
    shown = flow_file_text(step(line), Style(60)).splitlines()
    begin = next(place for place, text in enumerate(shown) if "= help" in text)
    assert shown[begin:] == lines


def test_help_is_said_once() -> None:
    """The remedy that ends the sentence, for programs, has its own line for a person (6.12)."""
    remedy = 'did you mean "check"?'
    described = {"error": f'flow "f" has no step "chek"; {remedy}', "help": remedy}
    assert error_text(described, Style(80)) == (
        f'error: flow "f" has no step "chek"\n  = help: {remedy}'
    )


def test_a_warning(tmp_path: Path) -> None:
    """A warning is shown as an error is, with its code, and ends of steps that show it (11.2)."""
    file = tmp_path / "night.yaml"
    file.write_text(
        "flow_id: f\nsteps:\n  - {id: a, command: [x]}\n  - {id: b, when: a, command: [x]}\n"
        "  - id: alert\n    when: b.failed  # and not a.failed\n    command: [x]\n"
    )
    (warning,) = find_warnings(read_flow(file)).warnings
    lines = warning_text("night.yaml", warning, Style(300)).splitlines()
    assert lines[0].startswith(
        "warning[unhandled-failure]: steps[2].when: nothing tells of it if a "
    )
    assert lines[1:5] == [
        " --> night.yaml:6:11",
        "  |",
        "6 |     when: b.failed  # and not a.failed",
        "  |           ^^^^^^^^",
    ]
    assert lines[5].startswith("  = help: ask run(failed) in finally")
    assert lines[6:] == ["  = example: a FAILED, b SKIPPED, alert SKIPPED"]
    coloured = warning_text("night.yaml", warning, Style(80, colour=True))
    assert coloured.startswith("\x1b[1;33mwarning[unhandled-failure]\x1b[0m: ")
