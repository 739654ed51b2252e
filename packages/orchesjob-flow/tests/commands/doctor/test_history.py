"""What a long history costs a call of orchesjob, as `doctor` measures it (rule 9.11)."""

from collections.abc import Iterator, Sequence

import pytest

from orchesjob_client import JobReport, OrchesjobClient
from orchesjob_flow.commands.doctor import check_history, measure_calls


class Paced(OrchesjobClient):
    """A client whose calls take given times on a clock of their own: version, call, version, ..."""

    def __init__(self, *taken: float) -> None:
        super().__init__("orchesjob")
        self._taken: Iterator[float] = iter(taken)
        self.now = 0.0

    def version(self) -> str:
        self.now += next(self._taken)
        return "1.1.0"

    def running(self, **_: object) -> tuple[JobReport, ...]:
        self.now += next(self._taken)
        return ()


def measured(taken: Sequence[float]) -> tuple[str, str]:
    """Return the verdict and the beginning of the message after calls that took these times."""
    client = Paced(*taken)
    check = check_history(measure_calls(client, lambda: client.now))
    assert not list(client._taken)
    return check.grade.value, check.message.partition(", and")[0]


@pytest.mark.parametrize(
    ("taken", "verdict", "message"),
    [
        ([0.25, 0.5] * 3, "note", "a call takes 500 ms (250 ms of it caused by old jobs)"),
        ([0.25, 0.3125], "ok", "a call takes 312 ms (62 ms of it caused by old jobs)"),
        ([0.25, 0.125], "ok", "a call takes 125 ms (0 ms of it caused by old jobs)"),
        (
            [0.25, 4, 0.25, 0.5, 1, 4],
            "note",
            "a call takes 500 ms (250 ms of it caused by old jobs)",
        ),
        ([0.25, 4, 0.5, 0.25], "ok", "a call takes 250 ms (0 ms of it caused by old jobs)"),
    ],
)
def test_the_cost_of_a_history(taken: list[float], verdict: str, message: str) -> None:
    """From 100 ms on the home's jobs are worth a note; a call that was delayed once is not."""
    assert measured(taken) == (verdict, message)
