"""What TAB offers: the keys of recorded runs and the ids of their steps (rule 9.15).

Whoever presses TAB wants no error: where nothing can be read, nothing is offered.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from orchesjob_flow.errors import FlowError
from orchesjob_flow.home.settings import Settings

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from orchesjob_flow.home.runs import RunHandle

MOST_RUNS = 200
PROGRAM = "orchesjob-flow"
COMPLETE_VARIABLE = "_ORCHESJOB_FLOW_COMPLETE"
"""The shell's script sets it to ask; click answers."""


def complete_run_key(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list["CompletionItem"]:
    """Offer the latest runs whose keys begin like this, with their statuses."""
    from click.shell_completion import CompletionItem

    from flow_store import StoreError
    from orchesjob_flow.home.runs import find_runs

    with suppress(FlowError, StoreError, OSError):
        return [
            CompletionItem(run.run_key, help=f"{run.flow_id}, {run.status.value}")
            for run, _ in find_runs(settings_of(ctx), limit=MOST_RUNS)
            if run.run_key.startswith(incomplete)
        ]
    return []


def complete_step(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list["CompletionItem"]:
    """Offer the steps of the run that the command line names, with their statuses."""
    from click.shell_completion import CompletionItem

    from flow_store import StoreError

    handle: RunHandle | None = ctx.params.get("handle")
    if handle is None:
        return []
    with suppress(FlowError, StoreError, OSError):
        return [
            CompletionItem(step.step_id, help=step.status.value)
            for step in handle.snapshot().run.steps
            if step.step_id.startswith(incomplete)
        ]
    return []


def settings_of(ctx: click.Context) -> Settings:
    """Return the settings of a command line, also of one that is still being written."""
    settings = ctx.find_object(Settings)
    if settings is None:
        settings = Settings.from_options(ctx.find_root().params.get("db"), None)
    return settings
