"""What TAB offers: the keys of recorded runs, the ids of their steps and flows (rule 9.15).

TAB shows no errors: where nothing can be read, nothing is offered. Functions import what reads
flows, as every call of the program imports this module.
"""

from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchesjob_flow.home import RunHandle, Settings, find_runs, newest_run

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from flow_spec import FlowSpec
    from flow_store import RunSummary

MOST_OFFERED_RUNS = 200
NEWEST = "-"
"""The run key that means the newest run (rule 6.12)."""

type Offer = tuple[str, str | None]
"""A word that TAB offers, and a remark about it."""
type Find = Callable[[click.Context, str], Iterable[Offer]]
type Complete = Callable[[click.Context, click.Parameter, str], list["CompletionItem"]]


def offered(find: Find) -> Complete:
    """Offer what is found and begins like the word that is typed; nothing where that fails.

    As an argument, a word that begins with `-` would be read as an option, so it is left out.
    """

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list["CompletionItem"]:
        from click.shell_completion import CompletionItem

        is_argument = isinstance(param, click.Argument)
        with suppress(Exception):
            return [
                CompletionItem(value, help=remark)
                for value, remark in find(ctx, incomplete)
                if value.startswith(incomplete) and not (is_argument and value.startswith("-"))
            ]
        return []

    return complete


@offered
def complete_run_key(ctx: click.Context, _incomplete: str) -> Iterator[Offer]:
    """Offer the latest runs, with their statuses."""
    return ((run.run_key, _run_words(run)) for run in _latest_runs(ctx))


@offered
def complete_ended_run(ctx: click.Context, _incomplete: str) -> Iterator[Offer]:
    """Offer the latest runs that have ended, and are not on the command line yet."""
    named = ctx.params.get("run_keys") or ()
    ended = (run for run in _latest_runs(ctx) if run.status.is_terminal)
    return ((run.run_key, _run_words(run)) for run in ended if run.run_key not in named)


def _latest_runs(ctx: click.Context) -> Iterator["RunSummary"]:
    return (found.run for found in find_runs(settings_of(ctx), limit=MOST_OFFERED_RUNS))


def _run_words(run: "RunSummary") -> str:
    return f"{run.flow_id}, {run.status.value}"


@offered
def complete_flow_id(ctx: click.Context, _incomplete: str) -> Iterator[Offer]:
    """Offer the flows that have runs."""
    from flow_store import FlowStore

    with FlowStore.open_readonly(settings_of(ctx).home.database) as store:
        yield from ((flow_id, None) for flow_id in store.flow_ids())


@offered
def complete_step(ctx: click.Context, _incomplete: str) -> Iterator[Offer]:
    """Offer the steps of the run that the command line names, with their statuses.

    The name that means all copies of a step is offered too (rule 10.3).
    """
    return _steps_of_run(ctx, None)


@offered
def complete_step_to_settle(ctx: click.Context, _incomplete: str) -> Iterator[Offer]:
    """Offer the steps of the run that can be settled, with their statuses (rule 12.3)."""
    return _steps_of_run(ctx, {"FAILED", "CANCELLED"})


def _steps_of_run(ctx: click.Context, statuses: Set[str] | None) -> Iterator[Offer]:
    from orchesjob_flow.reasons import dependencies_in, dependency_text, statuses_of

    if (handle := run_at_hand(ctx)) is not None:
        for name, one in dependencies_in(handle.snapshot().run).items():
            if statuses is None or not statuses.isdisjoint(statuses_of(one)):
                yield name, dependency_text(one).removeprefix(name).strip(" ()")


@offered
def complete_step_of_file(ctx: click.Context, _incomplete: str) -> Iterator[Offer]:
    """Offer the steps of the flow file that the command line names, and the names of all copies."""
    flow = flow_at_hand(ctx)
    names = dict.fromkeys((*flow.copies, *(step.id for step in flow.all_steps)))
    return ((name, None) for name in names)


@offered
def complete_param(ctx: click.Context, incomplete: str) -> Iterator[Offer]:
    """Offer the parameters of the flow that the command line names, then the values of one."""
    name, equals, _ = incomplete.partition("=")
    for param in flow_at_hand(ctx).params:
        if not equals:
            yield f"{param.name}=", (param.description or "").partition("\n")[0]
        elif param.name == name:
            yield from ((f"{name}={value}", None) for value in param.enum)


def flow_at_hand(ctx: click.Context) -> "FlowSpec":
    """Return the flow of the file that a command line names, or else of the run.

    Raises:
        FlowSpecError, FlowError, StoreError, OSError: There is none, or it cannot be read.
    """
    from flow_spec import FlowSpec, is_opened_by_caller, load_flow

    handle = run_at_hand(ctx)
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


def run_at_hand(ctx: click.Context) -> RunHandle | None:
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


def named_run(word: str, settings: Settings) -> RunHandle:
    """Return the handle of the run that a word names: by its key, or as the newest one.

    Raises:
        NoRunYet, HomeMissing, StoreError, OSError: There is no newest run, or it cannot be read.
    """
    return newest_run(settings) if word == NEWEST else RunHandle(word, settings)


def settings_of(ctx: click.Context) -> Settings:
    """Return the settings of a command line, also of one that is still being written."""
    settings = ctx.find_object(Settings)
    if settings is None:
        settings = Settings.from_options(ctx.find_root().params.get("db"), None)
    return settings
