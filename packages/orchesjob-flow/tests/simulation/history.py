"""What has happened in a world, written out in lines."""

from flow_store import Run
from orchesjob_client import JobReport

from .facts import Commit
from .world import World


def tell(world: World, last: int | None = None) -> list[str]:
    log = world.log if last is None else world.log[-last:]
    return [f"{mono:10.3f}  {what:<17}  {describe(about)}" for mono, what, about in log]


def describe(about: object) -> str:
    if isinstance(about, Commit):
        return describe_commit(about)
    if isinstance(about, tuple):  # an event or an effect
        return f"{type(about).__name__}({', '.join(describe(part) for part in about)})"
    if isinstance(about, frozenset):
        return ", ".join(sorted(about))
    if isinstance(about, JobReport):
        return f"{about.job_key} {about.status}"
    return "" if about is None else str(about)


def describe_commit(commit: Commit) -> str:
    before, after = commit.before, commit.after
    parts = [] if before.status == after.status else [f"run {after.status}"]
    if before.error != after.error:
        parts.append(f"run error {after.error!r}")
    parts += describe_steps(before, after)
    for key, attempt in commit.attempts.items():
        if attempt != commit.attempts_before.get(key):
            ending = f" to be ended: {attempt.abort_reason}" if attempt.abort_reason else ""
            gate = " at the gate" if attempt.is_gate else ""
            parts.append(f"attempt {commit.key_of(attempt)}{gate} {attempt.status}{ending}")
    return "; ".join(parts)


def describe_steps(before: Run, after: Run) -> list[str]:
    return [
        f"{new.step_id} {new.status} {new.attempt_no}/{new.failures} {new.error or ''}".rstrip()
        for old, new in zip(before.steps, after.steps, strict=True)
        if old != new
    ]
