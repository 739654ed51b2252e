"""Environment variables: which ones a flow may set, those that tell of a run, and `env_file`.

Files of variables are read when an attempt starts (rule 10.4). They hold secrets: a message names
their path and the number of a line, and nothing else. Reading stops at `MAX_ENV_FILE_BYTES`, and
waits for a pipe for at most `PIPE_SEC`.
"""

import os
import re
import stat
from collections.abc import Iterable
from typing import NamedTuple

from flow_spec.documents.source import opened
from flow_spec.errors import Advised, EnvFileError, EnvFileMissing, Message, quoted
from flow_spec.fields.messages import LONGEST_WORD, flaw_of_word


class EnvFile(NamedTuple):
    """A file whose variables a step's process sees, except those that the flow sets itself.

    If a file that is not required is missing, it sets no variables. Without a dispensable file the
    step runs too, if the file cannot be read (rule 10.4).
    """

    path: str
    outranked_by: frozenset[str]
    is_required: bool = True
    is_dispensable: bool = False


class FileVariables(NamedTuple):
    """The variables that files add, and the dispensable files that cannot be read, with why."""

    variables: dict[str, str]
    unread: tuple[tuple[EnvFile, EnvFileError], ...]


class StepVariable:
    """The variables that tell a step's process about its run (rules 9.13, 10.1, 10.2 and 10.6).

    `FlowSpec.environment` gives most of them their values. The caller adds those that depend on
    where the run is: `DIR`, `RUN_DIR` and `STARTED`.

    Not an enumeration: the names become keys of an environment, which must be plain texts.
    """

    RUN_KEY = "ORCHESJOB_FLOW_RUN_KEY"
    ID = "ORCHESJOB_FLOW_ID"
    """The id of the flow."""
    STEP = "ORCHESJOB_FLOW_STEP"
    ATTEMPT = "ORCHESJOB_FLOW_ATTEMPT"
    DIR = "ORCHESJOB_FLOW_DIR"
    """The folder of the flow file."""
    RUN_DIR = "ORCHESJOB_FLOW_RUN_DIR"
    STARTED = "ORCHESJOB_FLOW_STARTED"
    FAILED_STEPS = "ORCHESJOB_FLOW_FAILED_STEPS"
    """The steps that have failed so far."""
    OUTCOME = "ORCHESJOB_FLOW_OUTCOME"
    """How `steps` ended; for the steps of `finally`."""


_LONGEST_LIST = 65_536
"""Characters; the system passes no variable of more than 128 KiB, and all share one space."""


def joined_ids(names: Iterable[str]) -> str:
    """Return the names, separated by blanks; of many, as many as fit into a variable."""
    fitting, left = [], _LONGEST_LIST
    for name in names:
        left -= len(name) + 1
        if left < 0:
            break
        fitting.append(name)
    return " ".join(fitting)


VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

RESERVED_PREFIX = "ORCHESJOB_"
"""The prefix that a flow may not use: with another home, orchesjob would forget its jobs."""


_BREAKING = r"LD_|DYLD_|PYTHON(?!$|_VERSION$|UNBUFFERED$|DONTWRITEBYTECODE$)"
"""The prefixes of variables that change how a Python program such as orchesjob starts."""
_BREAKS = re.compile(_BREAKING)

SETTABLE = f"^(?!{RESERVED_PREFIX}|{_BREAKING}){VARIABLE.pattern}$"
"""The pattern of a name that a flow may set, for the schema."""


def flaw_of_variable(name: str) -> Message | None:
    """Return what is wrong with the name of a variable, or None."""
    if not VARIABLE.fullmatch(name):
        return (
            f"must be made of A-Z, a-z, 0-9 and _, and not begin with a digit, got {quoted(name)}"
        )
    if name.startswith(RESERVED_PREFIX):
        fact = f"must not begin with {RESERVED_PREFIX}, which orchesjob and this program use"
        return Advised(fact, "write another name")
    if _BREAKS.match(name):
        fact = "would also change how orchesjob itself starts"
        return Advised(fact, f"set it inside the command: [env, {name}=VALUE, PROGRAM]")
    return None


def flaw_of_setting(name: str, text: str) -> str | None:
    """Return what is wrong with a variable and its value, or None."""
    flaw = flaw_of_variable(name)
    return str(flaw) if flaw else flaw_of_word(text, LONGEST_WORD - len(f"{name}="))


_QUOTES = ('"', "'")


def parse_env_file(data: bytes, source: str) -> dict[str, str]:
    """Return the variables in a file of NAME=VALUE lines; the last value of a name wins.

    Raises:
        EnvFileError: A line is something else; names `source` and the line, not its content.
    """
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise EnvFileError(source, "is not UTF-8 text", number) from None
    variables = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            name, equals, value = line.removesuffix("\r").partition("=")
            flaw = _flaw(name, value) if equals else _NO_SETTING
            if flaw is not None:
                raise EnvFileError(source, flaw, number)
            variables[name] = value
    return variables


_NO_SETTING = (
    "must be NAME=VALUE, with a name of A-Z, a-z, 0-9 and _, without export and without spaces "
    "around the ="
)


def _flaw(name: str, value: str) -> str | None:
    """Return what is wrong with a line, without quoting it, or None."""
    if not VARIABLE.fullmatch(name):
        return _NO_SETTING
    if flaw_of_variable(name) is not None:
        return (
            "sets a variable that no flow may set: its name begins with ORCHESJOB_, or it would "
            "change how orchesjob itself starts, as PYTHONPATH and LD_PRELOAD do"
        )
    if len(value) > 1 and value[0] in _QUOTES and value[-1] == value[0]:
        return "has quotes around its value, which would be part of it; write it without them"
    return flaw_of_word(value, LONGEST_WORD - len(f"{name}="))


MAX_ENV_FILE_BYTES = 1024 * 1024
PIPE_SEC = 5.0
"""Seconds for the whole content of a pipe; without a limit, the attempt might never start."""


def read_env_files(files: Iterable[EnvFile], directory: str) -> FileVariables:
    """Return the variables that files add to those of a step's process.

    Args:
        files: The files, as `FlowSpec.env_files_of` returns them. Later ones override earlier ones;
            a variable that the flow sets itself is left out.
        directory: Where relative paths start.

    Raises:
        EnvFileError: One that is not dispensable is missing though required, of another kind, too
            large or wrong; says where, not what.
    """
    added: dict[str, str] = {}
    unread: list[tuple[EnvFile, EnvFileError]] = []
    for file in files:
        try:
            variables = read_env_file(os.path.join(directory, file.path))  # noqa: PTH118 - as given
        except EnvFileError as error:
            if not (isinstance(error, EnvFileMissing) and not file.is_required):
                if not file.is_dispensable:
                    raise
                unread.append((file, error))
            continue
        added |= {name: value for name, value in variables.items() if name not in file.outranked_by}
    return FileVariables(added, tuple(unread))


def read_env_file(path: str, *, pipe_sec: float = PIPE_SEC) -> dict[str, str]:
    """Return the variables in a regular file, or in a pipe that somebody writes to.

    Raises:
        EnvFileError: It is missing, of another kind, too large or wrong; says where, not what.
    """
    try:
        with opened(path) as file:
            if file.kind not in (stat.S_IFREG, stat.S_IFIFO):
                raise EnvFileError(path, "is neither a regular file nor a pipe")
            data = file.read(MAX_ENV_FILE_BYTES + 1, pipe_sec=pipe_sec)
    except FileNotFoundError as error:
        raise EnvFileMissing(path, f"cannot be read: {error.strerror}") from None
    except OSError as error:
        if isinstance(error, TimeoutError) and error.errno is None:
            flaw = f"is a pipe that nobody has filled and closed for {pipe_sec:g} s"
        else:
            flaw = f"cannot be read: {error.strerror}"
        raise EnvFileError(path, flaw) from None
    if len(data) > MAX_ENV_FILE_BYTES:
        raise EnvFileError(path, f"is larger than {MAX_ENV_FILE_BYTES // 1024**2} MiB")
    return parse_env_file(data, path)
