"""A typed line, and what its words mean here: runs, flows, flow files, parameters and steps.

It is imported only after a mistake (rule 6.12). `Facts` fills the placeholders of advice from them.
"""

import os
import re
import shlex
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import click

from flow_spec import FlowSpecError, closest_words, load_flow
from flow_store import FlowStore, Run, RunStatus, StepStatus, StoreError
from orchesjob_flow.cli.completion import settings_of
from orchesjob_flow.errors import FlowError
from orchesjob_flow.home.runs import UNFINISHED, RunHandle, find_runs, nearest_keys

PROGRAM = "orchesjob-flow"
FLOW_FILES = (".yaml", ".yml", ".json")
PLACEHOLDER = re.compile(
    r"\b(?:NEW_KEY|KEY|FLOW_FILE|FLOW_ID|STEP|SECONDS|PATH|DATABASE|N)\b|(?<=-T)SUFFIX"
)
HAS_FLOW_ID = re.compile(rb'^\s*\{?\s*"?flow_id"?\s*:\s*["\']?([^"\'\s,}]*)', re.MULTILINE)
UNIT = re.compile(r"\.(?:service|timer)$")
"""The ending of what systemd calls a flow."""
HEAD, MOST_LOOKED_AT, MOST_SEARCHED, MOST_NAMED = 65536, 200, 20, 3
"""How much is read of how many files, in how many runs a step is searched, and how many files or
runs are named.
"""
ENDED_BADLY = (RunStatus.FAILED, RunStatus.CANCELLED)
WANTED: Mapping[str, tuple[Collection[RunStatus], str]] = {
    "cancel": (UNFINISHED, "is running"),
    "resume": (UNFINISHED, "is without a runner"),
    "watch": (UNFINISHED, "is running"),
    "wait": (UNFINISHED, "is running"),
    "retry": (ENDED_BADLY, "has FAILED or was cancelled"),
    "settle": (ENDED_BADLY, "has FAILED or was cancelled"),
}
"""Which runs a command is for, and what to say if there is none."""
AS_THE_SHELL_HAS_IT = re.compile(r"'(\w+)=\$\1'")


@cache
def foreign_words() -> Mapping[str, Any]:
    """Return the words of other tools, by the tables of the file."""
    path = Path(__file__).with_name("foreign_words.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


class Line:
    """A command line as it was typed, from which the one that was meant is made."""

    def __init__(self, ctx: click.Context, words: Sequence[str]) -> None:
        """Find where the words of the command begin."""
        self.ctx = ctx
        self.words = list(words)
        self.own_params = ctx.command.params
        self.own = {option: param for param in self.own_params for option in param.opts}
        is_program = ctx.parent is None
        named = not is_program and ctx.info_name in self.words
        self.begin = self.words.index(str(ctx.info_name)) + 1 if named else 0

    def place_of(self, option: str) -> int | None:
        """Return the place of an option, which may have its value in the same word."""
        is_short = not option.startswith("--")
        for place in range(self.begin, len(self.words)):
            word = self.words[place]
            if word.partition("=")[0] == option or (
                is_short and word.startswith(option) and not word.startswith("--")
            ):
                return place
        return None

    def value_of(self, option: str) -> tuple[str | None, bool]:
        """Return what follows an option and may be its value, and whether it is in its word."""
        place = self.place_of(option)
        if place is None:
            return None, False
        if attached := self.words[place][len(option) :]:
            return attached.removeprefix("="), True
        following = self.words[place + 1 : place + 2]
        return (following[0] if following and not following[0].startswith("-") else None), False

    def arguments_before(self, place: int) -> list[str]:
        """Return the words before a place that are neither options nor their values."""
        found, rest = [], iter(self.words[self.begin : place])
        for word in rest:
            if not word.startswith("-") or word == "-":
                found.append(word)
            elif (param := self.own.get(word)) is not None and not getattr(param, "is_flag", False):
                next(rest, None)
        return found

    def replaced(self, option: str, ours: str, value: Sequence[str] = ()) -> str:
        """Write the line with an option of ours, and its value, in place of another option."""
        param = self.own[ours]
        is_flag = getattr(param, "is_flag", False)
        place = self.place_of(option)
        if place is None:
            example = [] if is_flag else value or [example_of(ours, param)]
            return f"{self.ctx.command_path} {shlex.join([ours, *example])}"
        typed, is_attached = self.value_of(option)
        after = self.words[place + 1 :]
        if is_flag:
            new = [ours]
        elif value:
            new = [ours, *value]
            takes_arguments = any(isinstance(one, click.Argument) for one in self.own_params)
            if typed is not None and not is_attached and not takes_arguments:
                after = after[1:]
        elif typed is None or not is_valid(param, typed):
            new = [ours, self.example(ours, typed)]
            after = after[0 if is_attached or typed is None else 1 :]
        else:
            new, after = [ours, typed], after[0 if is_attached else 1 :]
        return text_of([*self.words[:place], *new, *after])

    def example(self, option: str, typed: str | None) -> str:
        """Return a value for an option: of a parameter without a value, its default."""
        if option == "--param" and typed is not None and typed in (known := declared(self.words)):
            return f"{typed}={known[typed]}"
        long = "--output" if option == "-o" else option
        of_command = f"{self.ctx.info_name} {long}"
        return foreign_words()["examples"].get(of_command) or example_of(
            option, self.own[option], typed
        )

    def filled(self, text: str, option: str) -> str:
        """Put what was typed before an option, and its value, into a text with placeholders."""
        place = self.place_of(option)
        before = [] if place is None else self.arguments_before(place)
        value, _ = self.value_of(option)
        key = before[0] if before and is_on_run(self.ctx.command) else None
        facts = Facts(self.ctx, self.words[self.begin :], value, key)
        text = text.replace("LINE_WITHOUT_VALUE", self.without_option(option, has_value=True))
        return facts.fill(text.replace("LINE", self.without_option(option)))

    def without_option(self, option: str, *, has_value: bool = False) -> str:
        """Write the line without an option, and without its value if it has one."""
        param = self.own.get(option)
        has_value = has_value and not getattr(param, "is_flag", False)
        spellings = [option] if param is None else param.opts
        place = next(filter(None, (self.place_of(one) for one in spellings)), None)
        if place is None:
            return text_of(self.words)
        value, is_attached = self.value_of(self.words[place])
        count = 2 if has_value and value is not None and not is_attached else 1
        return text_of([*self.words[:place], *self.words[place + count :]])

    def missing_options(self) -> list[click.Option]:
        """Return the required options that are not typed."""
        return [
            param
            for param in self.own_params
            if isinstance(param, click.Option)
            and param.required
            and not any(self.place_of(option) is not None for option in param.opts)
        ]

    def without(self, extras: Sequence[str]) -> list[str]:
        """Return the words without the last of them that are among some others."""
        left = list(self.words)
        for extra in reversed(extras):
            for place in range(len(left) - 1, self.begin - 1, -1):
                if left[place] == extra:
                    del left[place]
                    break
        return left


class Facts:
    """What typed words mean here, for the placeholders of a text."""

    def __init__(
        self,
        ctx: click.Context,
        words: Sequence[str],
        value: str | None = None,
        key: str | None = None,
    ) -> None:
        """Keep the words, the value of the option that is not known, and the run key if known."""
        self.ctx, self.words, self.value = ctx, words, value
        handle = ctx.params.get("handle")
        self.key = key or (handle and handle.run_key)

    @cached_property
    def run_key(self) -> str | None:
        """The run that is named, by its key or by its flow; else the newest."""
        recorded = (word for word in self.words if is_recorded(self.ctx, word))
        of_flows = filter(None, (newest_of(self.ctx, word) for word in self.words))
        of_option = None if is_on_run(self.ctx.command) else self.value
        named = self.key or next(recorded, None) or next(of_flows, None) or of_option
        return named or next(iter(keys_for(self.ctx, "")), None)

    @cached_property
    def run(self) -> Run | None:
        """The run that is named, if it is recorded."""
        with suppress(FlowError, StoreError, OSError):
            if self.run_key is not None:
                return RunHandle(self.run_key, settings_of(self.ctx)).snapshot().run
        return None

    @cached_property
    def flow_files(self) -> Sequence[str]:
        """The flow file that is named, or that of the run; else those of the folder."""
        named = filter(None, (file_meant(word) for word in self.words))
        if (file := next(named, None)) is not None:
            return [file]
        here = flow_files_here()
        is_named = self.key is not None or any(is_recorded(self.ctx, word) for word in self.words)
        flow_id = self.run.flow_id if is_named and self.run is not None else None
        return [file for file in here if flow_id_of(Path(file)) == flow_id] or here

    def fill(self, text: str) -> str:
        """Put into a text what is known; a line says which other flow files it may be about."""
        line, _, about = text.partition("  # ")
        filled = PLACEHOLDER.sub(lambda found: self._fact(found[0]), line)
        remarks = [PLACEHOLDER.sub(lambda found: self._fact(found[0]), about)] if about else []
        if "FLOW_FILE" in line and line.startswith((PROGRAM, "cd ")):
            if not self.flow_files:
                remarks = [f"`{PROGRAM} example > flow.yaml` writes one", *remarks]
            elif others := self.flow_files[1:MOST_NAMED]:
                remarks = [f"or {', '.join(others)}", *remarks]
        return f"{filled}  # {'; '.join(remarks)}" if remarks else filled

    def _fact(self, name: str) -> str:
        """Return what a placeholder stands for, or a word for it."""
        match name:
            case "KEY":
                found = self.run_key
            case "NEW_KEY":
                stem = Path(self._fact("FLOW_FILE")).stem
                keys = (f"{stem}-{number}" for number in range(1, MOST_LOOKED_AT))
                found = next((key for key in keys if not is_recorded(self.ctx, key)), None)
            case "FLOW_FILE":
                found = next(iter(self.flow_files), None)
            case "FLOW_ID":
                typed = (word for word in self.words if newest_of(self.ctx, word))
                found = next(map(flow_meant, typed), None)
            case "DATABASE":
                found = str(settings_of(self.ctx).home.database)
            case "SUFFIX":  # of a picture
                found = Path(self.value or "graph.svg").suffix[1:]
            case "STEP":
                steps = () if self.run is None else self.run.steps
                failed = [] if self.run is None else failed_steps(self.run)
                likely = [*failed, *(one.step_id for one in steps[:1])]
                found = self._typed_step() or next(iter(likely), None)
            case _:
                found = self.value
        return name if found is None else shlex.quote(found)

    def _typed_step(self) -> str | None:
        """Return the value of the option if it is a step of the run."""
        steps = () if self.run is None else self.run.steps
        is_step = self.value in [step.step_id for step in steps]
        return self.value if is_step or self.run is None else None


def is_on_run(command: click.Command) -> bool:
    """Tell whether a command names a run."""
    return any(param.name == "handle" for param in command.params)


def failed_steps(run: Run) -> list[str]:
    """Return the ids of the steps that FAILED."""
    return [one.step_id for one in run.steps if one.status is StepStatus.FAILED]


def is_recorded(ctx: click.Context, run_key: str) -> bool:
    """Tell whether there is a run of this key; no word that looks like an option is asked for."""
    with suppress(FlowError, StoreError, OSError):
        return not run_key.startswith("-") and RunHandle(run_key, settings_of(ctx)).is_recorded()
    return False


def run_meant(ctx: click.Context, run_key: str) -> str:
    """Return the key of the run that was probably meant, or the same word if none is near."""
    with suppress(FlowError, StoreError, OSError):
        if not is_recorded(ctx, run_key):
            with FlowStore.open_readonly(settings_of(ctx).home.database) as store:
                return next(iter(nearest_keys(store, run_key)), run_key)
    return run_key


def keys_for(ctx: click.Context, name: str) -> list[str]:
    """Return the keys of the runs that a command is for, the newest first."""
    with suppress(FlowError, StoreError, OSError):
        statuses, _ = WANTED.get(name, ((), ""))
        runs = find_runs(settings_of(ctx), statuses=statuses, limit=MOST_LOOKED_AT)
        return [one.run.run_key for one in runs if name != "resume" or one.is_abandoned]
    return []


def newest_of(ctx: click.Context, word: str) -> str | None:
    """Return the key of the newest run of the flow that a word names, by its id or its file."""
    if word.startswith("-"):
        return None
    with suppress(FlowError, StoreError, OSError):
        for found in find_runs(settings_of(ctx), flow_id=flow_meant(word), limit=1):
            return found.run.run_key
    return None


def flow_meant(word: str) -> str:
    """Return the id of the flow that a word names: its file, or the id itself."""
    file = file_meant(word)
    return UNIT.sub("", word) if file is None else flow_id_of(Path(file)) or word


def flow_id_of(file: Path) -> str | None:
    """Return the id in the first lines of a flow file; None if there is none."""
    with suppress(OSError), file.open("rb") as opened:
        if (found := HAS_FLOW_ID.search(opened.read(HEAD))) is not None:
            return found[1].decode(errors="replace")
    return None


def declared(words: Iterable[str]) -> Mapping[str, str]:
    """Return a value for each parameter of the flow file that is named, or nothing."""
    with suppress(FlowSpecError, OSError):
        for file in filter(None, map(file_meant, words)):
            params = load_flow(file).params
            return {one.name: one.default or next(iter(one.enum), "VALUE") for one in params}
    return {}


def looks_like_flow_file(word: str) -> bool:
    """Tell whether a word is a file, or named as flow files are."""
    return os.path.isfile(word) or word.endswith(FLOW_FILES)  # noqa: PTH113 - of any length


def flow_files_here(*, cases: bool = False) -> list[str]:
    """Return the first flow files of the current folder, or files of cases, by name."""
    found = []
    with suppress(OSError), os.scandir() as entries:
        names = sorted(one.name for one in islice(entries, MOST_LOOKED_AT) if one.is_file())
        for name in names:
            path = Path(name)
            is_cases = path.stem.endswith(".test")
            if path.suffix not in FLOW_FILES or is_cases is not cases:
                continue
            if cases or flow_id_of(path) is not None:
                found.append(name)
    return found


def file_meant(word: str) -> str | None:
    """Return the flow file that a word means: by its name, with or without the ending."""
    if looks_like_flow_file(word):
        return word
    stem = UNIT.sub("", word)
    return next((name for name in flow_files_here() if Path(name).stem == stem), None)


def run_with_step(ctx: click.Context, step: str) -> Run | None:
    """Return the newest run that has a step, or copies of one, of this id; None if none has."""
    with suppress(FlowError, StoreError, OSError):
        for one in find_runs(settings_of(ctx), limit=MOST_SEARCHED):
            run = RunHandle(one.run.run_key, settings_of(ctx)).snapshot().run
            ids = [each.step_id for each in run.steps]
            if step in [*ids, *(step_id.partition("@")[0] for step_id in ids)]:
                return run
    return None


def newest_for(ctx: click.Context, name: str, word: str) -> tuple[str, str] | None:
    """Return the newest run that a command is for, of the flow that a word names, and what to say.

    None if the word names no flow, or is the key of a run. Without any such run the key is empty,
    and the other is the line that lists the runs of the flow.
    """
    if is_recorded(ctx, word) or newest_of(ctx, word) is None:
        return None
    flow_id, (statuses, what) = flow_meant(word), WANTED.get(name, ((), ""))
    with suppress(FlowError, StoreError, OSError):
        for one in find_runs(settings_of(ctx), statuses=statuses, flow_id=flow_id, limit=1):
            return one.run.run_key, ""
    line = text_of(["list", "--flow-id", flow_id])
    return "", f'{line}  # no run of flow "{flow_id}" {what}, so there is none to {name}'


def others(name: str, keys: Sequence[str]) -> str:
    """Say which runs a command is also for, apart from the first."""
    to = f" to {name}" if name in WANTED else ""
    return f"or {', '.join(keys[1:MOST_NAMED])}" if keys[1:] else f"the only run{to}"


def text_of(words: Iterable[str]) -> str:
    """Write a command line of this program."""
    line = re.sub("(--reason[ =])[.]{3}", r"\1'...'", shlex.join([PROGRAM, *words]))
    return AS_THE_SHELL_HAS_IT.sub(r'"\1=$\1"', line)


def is_valid(param: click.Parameter, value: str) -> bool:
    """Tell whether an option takes a value."""
    with suppress(click.UsageError):
        param.type.convert(value, param, None)
        return True
    return False


def example_of(option: str, param: click.Parameter, typed: str | None = None) -> str:
    """Return a value for an option: of several, the one most like the typed one."""
    if typed is not None and (meant := getattr(param.type, "meant", None)) is not None:
        found = meant(typed)
        if found is not None:
            return str(found)
    if isinstance(param.type, click.Choice):
        choices = {str(choice): str(choice) for choice in param.type.choices}
        if typed is not None:
            for choice, theirs in foreign_words()["values"].items():
                if choice in choices and typed.lower() in theirs.split():
                    return str(choice)
            folded = {choice.lower(): choice for choice in choices}
            for near in closest_words(typed.lower(), folded):
                return folded[near]
        example = foreign_words()["examples"].get(option)
        return example if example in choices else next(iter(choices))
    metavar = param.metavar if isinstance(param, click.Option) else ""
    return foreign_words()["examples"].get(option) or metavar or "X"
