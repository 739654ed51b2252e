"""What command lines share: how they name a run, common options, and how values are read.

A run is named by `KEY`, `--run-key KEY` or `-k KEY`, or as the newest one by `-` (rule 6.12). Its
key becomes the handle of the run at once, and the command receives that.
"""

import math
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import wraps
from typing import Any

import click

from orchesjob_flow.cli.completion import (
    NEWEST,
    complete_flow_id,
    complete_param,
    complete_run_key,
    complete_step,
    complete_step_of_file,
    named_run,
    settings_of,
)
from orchesjob_flow.home import RunHandle, Settings, find_runs
from orchesjob_flow.views.terminal import (
    AUTO,
    FORMAT_VARIABLE,
    SPELLINGS,
    Course,
    format_of_result,
    warn,
)


class Misused(click.UsageError):
    """Words that do not fit each other; `advice` says what to type instead (rule 6.12)."""

    def __init__(self, message: str, advice: str, ctx: click.Context | None = None) -> None:
        """Keep the advice."""
        super().__init__(message, ctx or click.get_current_context(silent=True))
        self.advice = advice


class Duration(click.ParamType):  # type: ignore[type-arg] # no subscripts before click 8.3.3
    """A span of time in seconds, written as in flow files: `90s`, `1h30m`, `2w` (rule 10.5).

    Plain seconds are read too, unless it `needs_unit`: where ages are mostly days, `30` must not
    mean 30 seconds.
    """

    name = "duration"
    example = "90s, 15m, 2h or 30d"

    def __init__(self, *, zero: bool, needs_unit: bool = False) -> None:
        """Say whether zero is allowed, and whether plain seconds are not."""
        self.zero = zero
        self.needs_unit = needs_unit

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the duration, or say how one is written."""
        seconds = -1.0
        if not self.needs_unit:
            with suppress(ValueError):
                seconds = float(value)
        if not 0 <= seconds < math.inf:
            from flow_spec import parse_duration

            try:
                seconds = parse_duration(value, needs_unit=self.needs_unit)
            except ValueError as error:
                example = "; write a number and w, d, h, m or s, as in 30d"
                self.fail(f"{error}{example if self.needs_unit else ''}", param, ctx)
        if seconds == 0 and not self.zero:
            self.fail(f'"{value}" must be more than 0', param, ctx)
        return seconds


class Count(click.ParamType):  # type: ignore[type-arg] # no subscripts before click 8.3.3
    """A whole number, at least `least`, or `all`."""

    name = "count"

    def __init__(self, least: int) -> None:
        """Say which numbers are allowed."""
        self.least = least

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Read the number, or refuse it."""
        text = str(value)
        if text == ALL:
            return ALL
        if not (text.isascii() and text.isdecimal() and int(text[:18]) >= self.least):
            must = f'must be "{ALL}" or a whole number, at least {self.least}'
            self.fail(f"{text!r} {must}", param, ctx)
        return int(text[:18])


def limited(count: int | str | None) -> int | None:
    """Return a count, or None for `all` and where none is given."""
    return None if count == ALL or count is None else int(count)


class Setting(click.ParamType):  # type: ignore[type-arg] # no subscripts before click 8.3.3
    """A name and a value for it, written NAME=VALUE; perhaps one of certain names."""

    name = "setting"

    def __init__(self, form: str = "NAME=VALUE", names: Collection[str] = ()) -> None:
        """Say how it is written; where there are `names`, the value must not be empty."""
        self.form = form
        self.names = names

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split the value, or refuse it."""
        name, equals, text = str(value).partition("=")
        if self.names and (name not in self.names or not text):
            known = ", ".join(self.names)
            self.fail(f"{value!r} is not {self.form} with one of {known}", param, ctx)
        if not equals:
            self.fail(f"{value!r} is not of the form {self.form}", param, ctx)
        return name, text


def _once_for_each_name(
    ctx: click.Context, param: click.Parameter, values: tuple[tuple[str, str], ...]
) -> dict[str, str]:
    _refuse_twice([name for name, _ in values], ctx, param)
    return dict(values)


def _variables_of(
    ctx: click.Context, param: click.Parameter, values: tuple[tuple[str, str], ...]
) -> dict[str, str]:
    from flow_spec import flaw_of_setting

    for name, text in values:
        if (flaw := flaw_of_setting(name, text)) is not None:
            raise click.BadParameter(f"the variable {name!r} {flaw}", ctx, param)
    return _once_for_each_name(ctx, param, values)


def _each_into_its_file(
    ctx: click.Context, param: click.Parameter, values: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    _refuse_twice([file for _, file in values], ctx, param)
    return values


def _refuse_twice(names: Sequence[str], ctx: click.Context, param: click.Parameter) -> None:
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise click.BadParameter(f"{repeated!r} is given twice; give one", ctx, param)


def refuse_repeated(ctx: click.Context, words: Sequence[str]) -> None:
    """Refuse an option that names one thing and is given twice (rule 6.9).

    click would silently take the last one.

    Raises:
        UsageError: There is such an option.
    """
    _, _, order = ctx.command.make_parser(ctx).parse_args(args=list(words))
    for param in order:
        is_single = isinstance(param, click.Option) and not (param.multiple or param.is_flag)
        if is_single and (count := order.count(param)) > 1:
            raise click.UsageError(f"{param.opts[-1]} is given {count} times; give one", ctx)


def refuse_empty(_ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse an empty value, which usually comes from a shell variable that is not set."""
    if value == "":
        raise click.BadParameter("is empty; name a path, or leave the option out", param=param)
    return value


REPORTS = ("html", "junit", "markdown", "trace")
"""The formats of reports (rule 12.1)."""
ALL = "all"
"""The value of an option that stands for no limit."""
RUN_KEY_OPTION = "run_key_option"
PERIOD = "period"
"""The option of `start` that stands for a key."""
NAMED_BY_OPTION = f"{__name__}.named_by_option"
ON_RUN_NAMED = f"{__name__}.on_run_named"
"""In a context's `meta`: a function that is called with the key of the run that is named."""


class KeyArgument(click.Argument):
    """The run key as the first argument."""


class CommandOnRun(click.Command):
    """A command on one run, whose key is its first argument unless an option gives it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find out whether an option names the run, and refuse two keys; then read all words."""
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        if PERIOD in given:
            if RUN_KEY_OPTION in given:
                raise click.UsageError("give either --run-key or --every", ctx)
            ctx.meta[NAMED_BY_OPTION] = True
        elif RUN_KEY_OPTION in given:
            names = [param.name for param in self.params if isinstance(param, click.Argument)]
            words = [given.get(name) for name in names]
            # click marks an argument that is not given by something else than a text.
            if all(isinstance(word, str) for word in words) and not ctx.resilient_parsing:
                raise click.UsageError(
                    f"the run key is given twice, as {words[0]!r} and as --run-key "
                    f"{given[RUN_KEY_OPTION]!r}; give one",
                    ctx,
                )
            ctx.meta[NAMED_BY_OPTION] = True
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Leave out the argument for the key where an option gives it."""
        params = super().get_params(ctx)
        if NAMED_BY_OPTION in ctx.meta:
            return [param for param in params if not isinstance(param, KeyArgument)]
        return params


class CommandThatNames(CommandOnRun):
    """A command that gives a new run its key, so that it cannot mean the newest run."""


def handle_of(ctx: click.Context, _param: click.Parameter, run_key: str | None) -> RunHandle | None:
    """Return the handle of the run with this key, if one is given."""
    if run_key is None:
        return None
    if run_key == NEWEST and isinstance(ctx.command, CommandThatNames):
        raise Misused(
            f"{NEWEST!r} means the newest run, but {ctx.info_name} needs a key of your own",
            "orchesjob-flow start KEY FLOW_FILE  # without a key: orchesjob-flow run FLOW_FILE"
            f"; to continue the newest run: orchesjob-flow resume {NEWEST}",
            ctx,
        )
    try:
        handle = named_run(run_key, settings_of(ctx))
    except Exception:  # completion must never print an error; a command raises it again
        if ctx.resilient_parsing:
            return None
        raise
    if run_key == NEWEST and not ctx.resilient_parsing:
        warn(f"the newest run is {handle.run_key}")
    if not isinstance(ctx.command, CommandThatNames):  # which names it when it is recorded
        name_run(ctx, handle.run_key)
    return handle


def name_run(ctx: click.Context, run_key: str, *, has_runner: bool = True) -> None:
    """Tell `main` which run the command is about, and whether it goes on without the command."""
    on_run_named: Callable[[str, bool], None] | None = ctx.meta.get(ON_RUN_NAMED)
    if on_run_named is not None:
        on_run_named(run_key, has_runner)


def handle_of_option(ctx: click.Context, param: click.Parameter, run_key: str | None) -> None:
    """Keep the handle of the run that an option names where the argument would have it."""
    if run_key is not None:
        ctx.params["handle"] = handle_of(ctx, param, run_key)


def declare_key_option(explanation: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare `-k` and `--run-key`, which a command receives as the handle of the run."""
    return click.option(
        "-k",
        "--run-key",
        RUN_KEY_OPTION,
        metavar="KEY",
        callback=handle_of_option,
        expose_value=False,
        shell_complete=complete_run_key,
        help=explanation,
    )


def declare_run_key(
    explanation: str, *, required: bool
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the key of a `CommandOnRun`, which receives the handle of the run."""
    option = declare_key_option(explanation)
    argument = click.argument(
        "handle",
        cls=KeyArgument,
        metavar="KEY" if required else "[KEY]",
        required=required,
        callback=handle_of,
        shell_complete=complete_run_key,
    )
    return lambda command: option(argument(command))


run_key_option = declare_run_key("Name of the run, in place of KEY.", required=True)


def declare_format(*others: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare `--format`, which knows the formats of every command and some `others`."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice((*SPELLINGS, *others)),
        metavar=f"[{'|'.join((AUTO, 'json', *others, 'table'))}]",
        default=AUTO,
        envvar=FORMAT_VARIABLE,
        callback=lambda _ctx, _param, spelling: format_of_result(spelling),
        help="auto: a table on a terminal, else JSON.",
    )


def tell_unknown_flow(settings: Settings, flow_id: str | None) -> None:
    """Mention on stderr that no run of a flow is recorded: its id is probably misspelled."""
    if flow_id is not None and not find_runs(settings, flow_id=flow_id, limit=1):
        warn(f"no run of flow {flow_id!r} is recorded")


def refuse_detach(course: Course) -> None:
    """Refuse what a background process cannot do.

    Raises:
        Misused: It cannot show its progress or the output of steps, and it writes no reports.
    """
    leave = "or to wait for the end, --detach"
    later = "and once the run has ended: orchesjob-flow report KEY -o FILE"
    for is_given, option, what, instead in (
        (course.follow, "--follow", "shows nothing", leave),
        (course.progress == "plain", "--progress plain", "shows nothing", leave),
        (course.reports, "--report", "writes no report", later),
    ):
        if course.detach and is_given:
            raise Misused(
                f"--detach and {option} are both given, and a background process {what}",
                f"leave out {option.split()[0]}, {instead}",
            )


FLOW_FILES = (".yaml", ".yml", ".json")
"""How the names of flow files end."""
FLOW_FILE = click.Path()
"""Completed as a file; `flow_spec` checks that it is a flow file."""

step_argument = click.argument(
    "step", metavar="[STEP]", required=False, shell_complete=complete_step
)
format_option = declare_format()
flow_id_option = click.option(
    "--flow-id", metavar="ID", shell_complete=complete_flow_id, help="Only runs of this flow."
)
jobs_option = click.option(
    "--jobs",
    type=click.Choice(["shared", "own"]),
    default="shared",
    show_default=True,
    envvar="ORCHESJOB_FLOW_JOBS",
    help="Keep the jobs in ORCHESJOB_HOME, or in a home of the run's own.",
)
env_option = click.option(
    "--env",
    "variables",
    metavar="NAME=VALUE",
    type=Setting(),
    multiple=True,
    callback=_variables_of,
    help="Set an environment variable; repeatable.",
)
param_option = click.option(
    "--param",
    "params",
    metavar="NAME=VALUE",
    type=Setting(),
    multiple=True,
    callback=_once_for_each_name,
    shell_complete=complete_param,
    help="Set a parameter of the flow; repeatable.",
)
until_option = click.option(
    "--until",
    metavar="STEP",
    multiple=True,
    shell_complete=complete_step_of_file,
    help="Only this step and what it needs; repeatable.",
)
detach_option = click.option(
    "-d", "--detach", is_flag=True, help="Return at once; run in the background."
)
report_option = click.option(
    "--report",
    "reports",
    metavar="FORMAT=FILE",
    type=Setting("FORMAT=FILE", REPORTS),
    multiple=True,
    callback=_each_into_its_file,
    help="Write a report after the run; repeatable.",
)
progress_option = click.option(
    "--progress",
    type=click.Choice(["auto", "plain", "none"]),
    default="auto",
    show_default=True,
    help="Show a table or lines.",
)
TIMES = "times"
"""The value of `follow` that puts the time before each line."""
TIMESTAMPS = f"{__name__}.timestamps"


def _how_to_follow(ctx: click.Context, _param: click.Parameter, follow: bool) -> str:
    if not ctx.meta.get(TIMESTAMPS):
        return "lines" if follow else ""
    if not follow:
        raise click.UsageError("--timestamps is about what --follow shows; add --follow", ctx)
    return TIMES


def follow_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Declare `--follow`, which a command receives as a text, and `--timestamps`, a part of it."""
    timestamps = click.option(
        "--timestamps",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=lambda ctx, _param, given: ctx.meta.update({TIMESTAMPS: given}),
        help="With --follow, put the time before each line.",
    )
    follow = click.option(
        "-f",
        "--follow",
        is_flag=True,
        callback=_how_to_follow,
        help="Show how steps start, print and end, live.",
    )
    return follow(timestamps(command))


def takes_course(*options: Callable[..., Any]) -> Callable[..., Any]:
    """Declare options of a command that advances a run, which receives them as its `course`."""

    def declare(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def on_course(*arguments: Any, **given: Any) -> Any:
            ours = {name: given.pop(name) for name in Course._fields if name in given}
            course = Course(**ours)
            refuse_detach(course)
            return command(*arguments, course=course, **given)

        for option in reversed(options):
            on_course = option(on_course)
        return on_course

    return declare


def start_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Declare the flow file of a command that starts a run, and its options, in this order."""
    argument = click.argument("flow_file", metavar="FLOW_FILE", type=FLOW_FILE)
    shown = (follow_option, progress_option, format_option)
    command = takes_course(detach_option, report_option, *shown)(argument(command))
    for declare in (jobs_option, env_option, param_option, until_option):
        command = declare(command)
    return command
