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

    from flow_spec import FlowSpec
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
    """Offer the steps of the run that the command line names, with their statuses.

    The name that means all copies of a step is one of them (rule 10.3).
    """
    from click.shell_completion import CompletionItem

    from flow_store import StoreError
    from orchesjob_flow.views.waited import spelled, waited_for

    handle: RunHandle | None = ctx.params.get("handle")
    if handle is None:
        return []
    with suppress(FlowError, StoreError, OSError):
        return [
            CompletionItem(name, help=spelled(waited).removeprefix(name).strip(" ()"))
            for name, waited in waited_for(handle.snapshot().run).items()
            if name.startswith(incomplete)
        ]
    return []


def complete_param(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list["CompletionItem"]:
    """Offer the parameters of the flow that the command line names, then the values of one."""
    from click.shell_completion import CompletionItem

    from flow_spec import FlowSpecError
    from flow_store import StoreError

    name, equals, _ = incomplete.partition("=")
    with suppress(FlowError, FlowSpecError, StoreError, OSError):
        found = {param.name: param for param in flow_of(ctx).params}
        if not equals:
            return [
                CompletionItem(f"{param.name}=", help=(param.description or "").partition("\n")[0])
                for param in found.values()
                if param.name.startswith(incomplete)
            ]
        if name in found:
            settings = (f"{name}={value}" for value in found[name].enum)
            return [CompletionItem(one) for one in settings if one.startswith(incomplete)]
    return []


def flow_of(ctx: click.Context) -> "FlowSpec":
    """Return the flow of the file that a command line names, or else of the run.

    Raises:
        FlowSpecError, FlowError, StoreError, OSError: There is none, or it cannot be read.
    """
    from flow_spec import FlowSpec, is_opened_by_caller, load_flow

    # Where an option still waits for its value, click leaves the arguments unread.
    files = [ctx.params.get("flow_file"), *ctx.args, *(ctx.params.get("flow_files") or ())]
    handle: RunHandle | None = ctx.params.get("handle")
    if file := next(filter(None, files), None):
        if is_opened_by_caller(file):
            raise FileNotFoundError(file)  # it can be read once, and not by us
        return load_flow(file)
    if handle is None:
        raise FileNotFoundError("no flow file is named")
    return FlowSpec.from_json(handle.snapshot().run.definition)


def settings_of(ctx: click.Context) -> Settings:
    """Return the settings of a command line, also of one that is still being written."""
    settings = ctx.find_object(Settings)
    if settings is None:
        settings = Settings.from_options(ctx.find_root().params.get("db"), None)
    return settings
