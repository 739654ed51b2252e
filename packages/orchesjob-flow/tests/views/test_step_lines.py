"""Following the output of many attempts: which files are read at a look (rule 9.6)."""

from pathlib import Path

import pytest

from orchesjob_flow.home.runs import Source
from orchesjob_flow.views.step_output import SETTLED_AT_A_LOOK, Printer


class Output(dict[Source, Path]):
    """Files of the first attempts of some steps, each with one line, and what is shown of them."""

    def __init__(self, folder: Path, steps: int) -> None:
        for number in range(steps):
            path = folder / f"{number}"
            path.write_text("first\n")
            self[Source(f"s{number}", 1, "stdout")] = path
        self.shown: list[str] = []
        prefixes = {source.step_id: f"{source.step_id} " for source in self}
        self.printer = Printer(
            prefixes, None, terminal=False, write=lambda block: self.shown.append(block.decode())
        )

    def add(self, text: str) -> None:
        """Add a line to each file, and forget what was shown so far."""
        self.shown.clear()
        for path in self.values():
            with path.open("a") as file:
                file.write(f"{text}\n")


@pytest.fixture
def output(tmp_path: Path) -> Output:
    """The files of three steps for each that is read at a look."""
    return Output(tmp_path, 3 * SETTLED_AT_A_LOOK)


def test_files_that_grow(output: Output) -> None:
    """Whatever an attempt that is under way prints is shown at the next look."""
    output.printer.follow(output, growing=set(output))
    output.printer.show()
    output.add("second")
    output.printer.show()
    assert output.shown == [f"{source.step_id} second\n" for source in output]


def test_what_an_attempt_prints_last(output: Output) -> None:
    """All that was printed until an attempt ended is shown at the next look, however many end."""
    output.printer.follow(output, growing=set(output))
    output.printer.show()
    output.add("last")
    output.printer.follow({}, growing=set())
    output.printer.show()
    assert output.shown == [f"{source.step_id} last\n" for source in output]


def test_files_that_have_settled(output: Output) -> None:
    """Files of attempts that have ended are read in turn, a bounded number of them at each look."""
    output.printer.follow(output, growing=set())
    output.printer.show()
    output.add("later")
    for look in range(1, 4):
        output.printer.show()
        assert len("".join(output.shown).splitlines()) == look * SETTLED_AT_A_LOOK
    assert len(set(output.shown)) == len(output)


def test_the_last_look(output: Output) -> None:
    """At the end all files are read once more, in the order of the steps."""
    output.printer.follow(output, growing=set())
    output.printer.show()
    output.printer.show()
    output.add("later")
    output.printer.show(last=True)
    assert output.shown == [f"{source.step_id} later\n" for source in output]
