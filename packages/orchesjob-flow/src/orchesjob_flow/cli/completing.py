"""What a shell completes: the keys of recorded runs and the ids of their steps (rule 9.15).

Whoever presses the tabulator wants no error: where nothing can be read, nothing is completed.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from orchesjob_flow.errors import FlowError
from orchesjob_flow.settings import Settings

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

MOST_RUNS = 200


def complete_run_key(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list["CompletionItem"]:
    """Offer the latest runs whose keys begin so, with their statuses."""
    from click.shell_completion import CompletionItem

    from flow_store import StoreError
    from orchesjob_flow.listing import list_runs

    with suppress(FlowError, StoreError, OSError):
        listed = list_runs(settings_of(ctx), limit=MOST_RUNS)
        return [
            CompletionItem(run.run_key, help=f"{run.flow_id}, {run.status.value}")
            for run, _ in listed
            if run.run_key.startswith(incomplete)
        ]
    return []


def complete_step(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list["CompletionItem"]:
    """Offer the steps of the run that the command line names, with their statuses."""
    from click.shell_completion import CompletionItem

    from flow_store import StoreError
    from orchesjob_flow.reading import read

    with suppress(FlowError, StoreError, OSError):
        run, _ = read(ctx.params.get("run_key") or "", settings_of(ctx))
        return [
            CompletionItem(step.step_id, help=step.status.value)
            for step in run.steps
            if step.step_id.startswith(incomplete)
        ]
    return []


def settings_of(ctx: click.Context) -> Settings:
    """Return the settings of a command line that is still being written."""
    return Settings.from_options(ctx.find_root().params.get("db"), None)
