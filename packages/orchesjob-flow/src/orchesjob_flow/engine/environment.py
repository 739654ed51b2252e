"""What a step's process is told of the run, beside what the flow says (rules 9.12 and 9.13)."""

from orchesjob_flow.engine.run import OpenAttempt, RunState, RunStep


def environment(run: RunState, step: RunStep, attempt: OpenAttempt) -> dict[str, str]:
    """Return the variables that an attempt's process has beside the runner's own."""
    failed = (run.steps[position].spec.id for position in sorted(run.failed))
    return run.flow.environment(
        step.spec, run_key=run.run_key, attempt=attempt.row.number, failed=failed
    )
