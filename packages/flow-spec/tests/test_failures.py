"""What is a failure, and when it is tried again: exit codes and delays (rule 9.12)."""

from collections.abc import Callable

import pytest

from flow_spec import FlowSpec, differences, parse_flow

type Complaints = Callable[..., list[str]]

NAMES = ("success_exit_codes", "skip_exit_codes", "retry_exit_codes")


def flow(fields: str) -> str:
    return f"flow_id: f\nsteps:\n- {{id: A, command: [x], {fields}}}"


def test_the_order_means_nothing() -> None:
    """The codes are a set, and by default 0 alone succeeds (rules 4.4 and 9.12)."""
    step = parse_flow(flow("retry_exit_codes: [75, 3], skip_exit_codes: [9, 4]")).steps[0]
    assert [getattr(step, name) for name in NAMES] == [(0,), (4, 9), (3, 75)]
    again = FlowSpec.from_json(parse_flow(flow("success_exit_codes: [5, 0]")).to_json())
    assert differences(again, parse_flow(flow("success_exit_codes: [0, 5]"))) == ()


MEANING = ", and an exit code has one meaning"
WRONG = [
    ("success_exit_codes: []", "success_exit_codes: must not be empty"),
    ("skip_exit_codes: [4, 4]", 'skip_exit_codes[1]: "4" is listed twice'),
    ("skip_exit_codes: [0]", f"skip_exit_codes: 0 is already in success_exit_codes{MEANING}"),
    (
        "skip_exit_codes: [4, 5], success_exit_codes: [0, 5]",
        f"skip_exit_codes: 5 is already in success_exit_codes{MEANING}",
    ),
    (
        "skip_exit_codes: [4], retry_exit_codes: [3, 4]",
        f"retry_exit_codes: 4 is already in skip_exit_codes{MEANING}",
    ),
]


@pytest.mark.parametrize(("fields", "message"), WRONG)
def test_a_code_has_one_meaning(complaints: Complaints, fields: str, message: str) -> None:
    """A code outside 0 to 255, or with two meanings, is an error (rule 9.12)."""
    (line,) = complaints(flow(fields))
    assert f": steps[0].{message}" in line


@pytest.mark.parametrize(
    ("fields", "failures", "delay"),
    [
        ("retry_delay_sec: 10, retry_backoff: 2", 4, 80.0),
        ("retry_delay_sec: 10, retry_backoff: 1.5, retry_max_delay_sec: 30", 3, 22.5),
        ("retry_delay_sec: 10, retry_backoff: 1.5, retry_max_delay_sec: 30", 4, 30.0),
        ("retry_delay_sec: 10, retry_max_delay_sec: 3", 1, 3.0),
        ("retry_delay_sec: 10, retry_backoff: 1000", 1_000_000, 316_224_000.0),
        ("retry_backoff: 1000", 1_000_000, 0.0),
    ],
)
def test_a_delay_grows_up_to_the_longest(fields: str, failures: int, delay: float) -> None:
    """Each failure but the first multiplies the delay, which has bounds (rule 9.12)."""
    assert parse_flow(flow(fields)).steps[0].delay_after(failures) == delay
