"""A run with a step of every kind, for what ends a run early (rules 5.6 and 9.12)."""

from collections.abc import Callable

from flow_spec import StepSpec

from .world import World

ENDED_EARLY = {
    "done": "SUCCEEDED",
    "broken": "FAILED",
    "skipped": "SKIPPED",
    "delayed": "CANCELLED",
    "running": "CANCELLED",
    "waiting": "CANCELLED",
    "alert": "CANCELLED",
}
"""How the steps end if the run is ended after some seconds."""


def record_every_kind(
    world: World, step: Callable[..., StepSpec], *, timeout_sec: float | None = None
) -> None:
    """Record a run whose steps have ended, run and wait, in every way, after some seconds."""
    world.record(
        step("done"),
        step("broken"),
        step("skipped", when="!done"),
        step("delayed", depends_on=("done",), retries=1, retry_delay_sec=500.0),
        step("running", depends_on=("done",)),
        step("waiting", depends_on=("running",)),
        step("alert", when="!running"),
        timeout_sec=timeout_sec,
    )
    world.plan("broken:1", code=1)
    world.plan("delayed:1", code=1)
    world.plan("running:1", seconds=900.0)
