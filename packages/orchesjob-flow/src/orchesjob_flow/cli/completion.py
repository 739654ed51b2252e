"""What TAB offers: the keys of recorded runs, the ids of their steps and flows (rule 9.15).

TAB shows no errors: where nothing can be read, nothing is offered. Functions import what reads, as
every call of the program imports this module.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchesjob_flow.errors import FlowError
from orchesjob_flow.home.paths import Settings

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from flow_spec import FlowSpec
    from orchesjob_flow.home.runs import RunHandle
    from orchesjob_flow.views.reasons import Dependency

MOST_RUNS = 200
NEWEST = "-"
"""The run key that means the newest run (rule 6.12)."""


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


def complete_ended_run(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list["CompletionItem"]:
    """Offer the latest runs that have ended, and are not on the command line yet."""
    from flow_store import FlowStatus

    ended = {status.value for status in FlowStatus if status.is_terminal}
    named = ctx.params.get("run_keys") or ()
    return [
        item
        for item in complete_run_key(ctx, _param, incomplete)
        if str(item.help).rpartition(" ")[2] in ended and item.value not in named
    ]


def complete_flow_id(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list["CompletionItem"]:
    """Offer the flows that have runs and whose ids begin like this."""
    from click.shell_completion import CompletionItem

    from flow_store import FlowStore, StoreError

    with (
        suppress(FlowError, StoreError, OSError),
        FlowStore.open_readonly(settings_of(ctx).home.database) as store,
    ):
        return [CompletionItem(one) for one in store.flow_ids() if one.startswith(incomplete)]
    return []


def complete_step(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list["CompletionItem"]:
    """Offer the steps of the run that the command line names, with their statuses.

    The name that means all copies of a step is offered too (rule 10.3).
    """
    return offer_steps(ctx, incomplete, lambda _: True)


def complete_step_to_settle(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list["CompletionItem"]:
    """Offer the steps of the run that can be settled, with their statuses (rule 12.3)."""
    from orchesjob_flow.views.reasons import statuses_of

    return offer_steps(
        ctx,
        incomplete,
        lambda dependency: not {"FAILED", "CANCELLED"}.isdisjoint(statuses_of(dependency)),
    )


def offer_steps(
    ctx: click.Context, incomplete: str, is_offered: "Callable[[Dependency], bool]"
) -> list["CompletionItem"]:
    """Offer the steps of the run on the command line for which `is_offered` is true."""
    from click.shell_completion import CompletionItem

    from flow_store import StoreError
    from orchesjob_flow.views.reasons import dependencies_in, dependency_text

    with suppress(FlowError, StoreError, OSError):
        handle = run_of(ctx)
        if handle is None:
            return []
        return [
            CompletionItem(name, help=dependency_text(dependency).removeprefix(name).strip(" ()"))
            for name, dependency in dependencies_in(handle.snapshot().run).items()
            if name.startswith(incomplete) and is_offered(dependency)
        ]
    return []


def complete_step_of_file(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list["CompletionItem"]:
    """Offer the steps of the flow file that the command line names, and the names of all copies."""
    from click.shell_completion import CompletionItem

    from flow_spec import FlowSpecError
    from flow_store import StoreError

    with suppress(FlowError, FlowSpecError, StoreError, OSError):
        flow = flow_of(ctx)
        names = dict.fromkeys((*flow.copies, *(step.id for step in flow.all_steps)))
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]
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

    handle = run_of(ctx)
    named = [ctx.params.get("flow_file"), *ctx.args, *(ctx.params.get("flow_files") or ())]
    if handle is not None:
        named.append(handle.run_key)  # the file, where the run is to be named by an option
    for file in filter(None, named):
        # What the caller has opened can be read once, and not by us.
        if Path(file).is_file() and not is_opened_by_caller(file):
            return load_flow(file)
    if handle is None:
        raise FileNotFoundError("no flow file is named")
    return FlowSpec.from_json(handle.snapshot().run.definition)


def run_of(ctx: click.Context) -> "RunHandle | None":
    """Return the run that a command line names; None if it names none.

    Raises:
        NoRunYet, HomeMissing, StoreError, OSError: It names the newest one, and none can be found.
    """
    handle: RunHandle | None = ctx.params.get("handle")
    takes_key = any(param.name == "handle" for param in ctx.command.get_params(ctx))
    # Where an option still waits for its value, click leaves the arguments unread.
    if handle is None and takes_key and ctx.args:
        return named_run(ctx.args[0], settings_of(ctx))
    return handle


def named_run(word: str, settings: Settings) -> "RunHandle":
    """Return the handle of the run that a word names: by its key, or as the newest one.

    Raises:
        NoRunYet, HomeMissing, StoreError, OSError: There is no newest run, or it cannot be read.
    """
    from orchesjob_flow.home.runs import RunHandle, newest_run

    return newest_run(settings) if word == NEWEST else RunHandle(word, settings)


def settings_of(ctx: click.Context) -> Settings:
    """Return the settings of a command line, also of one that is still being written."""
    settings = ctx.find_object(Settings)
    if settings is None:
        settings = Settings.from_options(ctx.find_root().params.get("db"), None)
    return settings
