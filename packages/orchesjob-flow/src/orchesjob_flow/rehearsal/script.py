"""What is to become of the steps in a rehearsal, and with which exit codes (rule 11.3).

Who is named is found here. What an exit code means is the matter of `StepSpec.outcome_of`, and what
follows from it that of the engine.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Self

from flow_spec import FlowSpec, StepSpec
from flow_store import StepStatus
from orchesjob_flow.errors import NotSkippable, PlayedTwice, TooManyRetries

MOST_RETRIES = 2_000
"""Of all steps that fail together: the engine looks at all earlier attempts before the next one."""
CODES: Mapping[StepStatus, Sequence[int]] = {
    StepStatus.SUCCEEDED: range(256),
    StepStatus.FAILED: (*range(1, 256), 0, -9),
}
"""The exit codes that are tried in turn; where each code has another meaning, a signal is left."""


class Script(NamedTuple):
    """How the named steps end, and which ones are under way when a cancel is asked for."""

    outcomes: Mapping[str, StepStatus] = {}
    cancel_at: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, flow: FlowSpec, fail: Sequence[str], skip: Sequence[str], cancel_at: str | None
    ) -> Self:
        """Find the steps of a flow that are named; the name of all copies means each (rule 10.3).

        Raises:
            UnknownStepError: There is none; it names the one that was probably meant.
            PlayedTwice: A step is to fail and to be skipped.
            NotSkippable: Nothing but its condition can skip a step.
            TooManyRetries: It would take too long to use up all of them.
        """
        failed, skipped = steps_named(flow, fail), steps_named(flow, skip)
        for step_id in failed.keys() & skipped.keys():
            raise PlayedTwice(step_id)
        for spec in skipped.values():
            if not can_be_skipped(spec):
                raise NotSkippable(spec.id)
        refuse_retries(failed.values())
        ends = dict.fromkeys(failed, StepStatus.FAILED) | dict.fromkeys(skipped, StepStatus.SKIPPED)
        cancelled = () if cancel_at is None else (cancel_at,)
        return cls(ends, frozenset(steps_named(flow, cancelled)))

    def outcome_of(self, spec: StepSpec) -> StepStatus:
        """Say how a step ends that comes to run."""
        return self.outcomes.get(spec.id, StepStatus.SUCCEEDED)


def steps_named(flow: FlowSpec, names: Iterable[str]) -> dict[str, StepSpec]:
    """Return the steps that some names mean, by their ids."""
    return {step.id: step for name in names for step in flow.named(name)}


def can_be_skipped(spec: StepSpec) -> bool:
    """Tell whether a step that runs can end as SKIPPED (rules 9.12 and 10.8)."""
    return bool(spec.skip_exit_codes or spec.only_if)


def refuse_retries(steps: Iterable[StepSpec]) -> None:
    """Refuse more attempts than can be played in a few seconds."""
    failing = list(steps)
    if sum(step.retries for step in failing) > MOST_RETRIES:
        most = max(failing, key=lambda step: step.retries)
        raise TooManyRetries(most.id, most.retries, MOST_RETRIES)


def exit_code(spec: StepSpec, outcome: StepStatus, *, is_gate: bool) -> int:
    """Return the exit code with which an attempt ends, for its step to end like that.

    A gate says no where no exit code of the command skips the step.
    """
    if is_gate:
        return int(outcome is StepStatus.SKIPPED and not spec.skip_exit_codes)
    if outcome is StepStatus.SKIPPED:
        return spec.skip_exit_codes[0]
    return next(code for code in CODES[outcome] if spec.outcome_of(code) == outcome)
