"""What the package offers to programs: the ways to read, places for problems, its README."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from flow_spec import (
    FlowFileError,
    ListError,
    MissingValuesError,
    ReadFlow,
    find_warnings,
    parse_flow,
    read_flow,
    read_list,
    read_text,
)

FLOW_FILE = """\
flow_id: f
defaults: {retries: 2}
steps:
  - {id: a, command: [x]}
  - {id: b, command: [y], when: a && !a}
  - foreach: [p, q]
    steps:
      - {id: c, command: [z, '${{ ITEM }}']}
"""


def buffer(text: str = FLOW_FILE) -> ReadFlow:
    return read_text(text, "flow.yaml")


@pytest.mark.parametrize(
    ("name", "text"), [("flow.yaml", FLOW_FILE), ("f.json", '{"flow_id": "f", "steps": []}')]
)
def test_a_text_is_read_like_a_file(name: str, text: str, tmp_path: Path) -> None:
    """An editor's buffer gives what its file gives: the flow, the warnings, the errors."""

    def outcome(read: Callable[[], ReadFlow]) -> object:
        try:
            return read().flow, find_warnings(read())
        except FlowFileError as error:
            return str(error)

    path = tmp_path / name
    path.write_text(text)
    from_file = outcome(lambda: read_flow(path))
    assert outcome(lambda: read_text(text, str(path))) == from_file


def test_the_name_of_a_text_has_an_ending() -> None:
    """The format is that of the file that the text will be."""
    with pytest.raises(FlowFileError, match=r"flow\.txt: the name must end in \.yaml"):
        read_text(FLOW_FILE, "flow.txt")


LISTS = "flow_id: f\nsteps: [{foreach: {%s}, id: a, command: [x]}]\n"


@pytest.mark.parametrize(
    ("origin", "copies"), [("lines: days.txt", ("a@mon", "a@tue")), ("glob: '*.txt'", ("a@1",))]
)
def test_read_list_fits(
    origin: str, copies: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`read_list` reads the lists of a flow as it is, or bound to another folder (rule 10.3)."""
    (tmp_path / "days.txt").write_text("mon\ntue\n")
    text, name = LISTS % origin, str(tmp_path / "flow.yaml")
    elsewhere = read_text(text, name, read_list=partial(read_list, directory=str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    for read in (elsewhere, read_text(text, name, read_list=read_list)):
        assert read.flow.copies["a"] == copies


@pytest.mark.parametrize(
    ("text", "is_below"),
    [
        ("{here}/in/days.txt", True),
        ("{here}/link/days.txt", True),
        ("in/deep/../days.txt", True),
        ("in/../out.txt", False),
        ("in/linked.txt", False),
        ("in/up/out.txt", False),
    ],
)
@pytest.mark.parametrize("below", ["in", "{here}/in", "link", "in/deep/.."])
def test_lists_may_be_confined(
    text: str, is_below: bool, below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`below` means one thing: what is read lies below that folder, or it is an error."""
    monkeypatch.chdir(tmp_path)
    Path("in/deep").mkdir(parents=True)
    for name in ("in/days.txt", "out.txt"):
        Path(name).write_text("mon\n")
    for link, target in (("link", "in"), ("in/linked.txt", "../out.txt"), ("in/up", "..")):
        Path(link).symlink_to(target)
    text, below = text.format(here=tmp_path), below.format(here=tmp_path)
    for origin, found in (("lines", ["mon"]), ("glob", [text])):
        if is_below:
            assert [*read_list(origin, text, {}, below=below)] == found
        else:
            with pytest.raises(ListError, match=f"which is not below {tmp_path}/in"):
                read_list(origin, text, {}, below=below)
    with pytest.raises(ListError, match="not below"):
        read_list("glob", "**/*.txt", {}, below=below)


def test_a_list_beside_the_flow_is_below_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path to the flow does not count twice; lists may also stay unread."""
    monkeypatch.chdir(tmp_path)
    text = LISTS % "lines: '${{ FLOW_DIR }}/days.txt'"
    Path("flows").mkdir()
    Path("flows/flow.yaml").write_text(text)
    Path("flows/days.txt").write_text("mon\n")
    read = read_flow("flows/flow.yaml", read_list=partial(read_list, below="flows"))
    assert [*read.flow.copies.values()] == [("a@mon",)]
    assert [*parse_flow(text, read_list=lambda *_: ()).copies.values()] == [()]


def test_a_missing_reader_is_named() -> None:
    """Without a reader nothing but the flow file is read, and the error says what to pass."""
    with pytest.raises(FlowFileError, match="no reader of lists was given; pass read_list=read_li"):
        buffer(LISTS % "lines: days.txt")


@pytest.mark.parametrize(
    ("step_id", "keys", "place"),
    [
        ("b", ("when",), ("steps[1].when", 5, 33)),
        ("b", ("env", "A"), ("steps[1].env.A", 5, 5)),
        ("b", ("retries",), ("defaults.retries", 2, 21)),
        ("b", ("command", 0), ("steps[1].command[0]", 5, 23)),
        ("b", ("command", 7), ("steps[1].command[7]", 5, 22)),
        ("c@q", ("retry_backoff",), ("steps[2].steps[0].retry_backoff", 8, 9)),
        (None, ("description",), ("description", 1, 1)),
        (None, (), (None, 1, 1)),
    ],
)
def test_a_problem_has_a_place(
    step_id: str | None, keys: tuple[str | int, ...], place: tuple[str | None, int, int]
) -> None:
    problem = buffer().problem("is wrong", step_id, *keys)
    assert (problem.path, problem.line, problem.column) == place


def test_steps_as_written_are_reported_once() -> None:
    """A linter does not repeat itself for the copies of a `foreach`."""
    read = buffer()
    problems = {read.problem("is wrong", step.id) for step in read.flow.as_written.steps}
    assert sorted(str(one.path) for one in problems) == [
        "steps[0]",
        "steps[1]",
        "steps[2].steps[0]",
    ]
    assert {read.problem("is wrong", step.id) for step in read.flow.steps} == problems


def test_all_missing_values_are_named() -> None:
    """Of the flow and of every step, each name once (rule 10.2)."""
    flow = parse_flow(
        "{flow_id: f, params: {ROOT: {}}, env: {A: '${{ ROOT }}'}, steps: ["
        "{foreach: [p], id: a, command: [x, '${{ ITEM }}${{ RUN_KEY }}']},"
        "{id: b, command: [y, '${{ RUN_KEY }}${{ ROOT }}']}]}"
    )
    with pytest.raises(MissingValuesError, match=r"no value for \$\{\{ ROOT \}\}") as caught:
        flow.filled({})
    assert caught.value.names == ("ROOT", "RUN_KEY")
