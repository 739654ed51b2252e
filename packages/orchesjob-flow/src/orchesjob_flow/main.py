"""The one door: where the program begins, and where every error becomes an exit code (rule 6.9).

Nothing is decided here about runs, and no other place catches an error only to print it.

The plainest spelling of `status` is read without click. Dashboards and sensors ask every few
seconds, and loading click costs more than the answer. Everything else, help and mistakes included,
is the matter of `cli`.
"""

import atexit
import os
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from orchesjob_flow.errors import (
    DONE,
    UNREAD,
    WRONG,
    FlowError,
    Interrupted,
    ResourceExhausted,
    ResultLost,
    exhausted_resource,
)
from orchesjob_flow.signals import Interruption, from_command
from orchesjob_flow.views.terminal import (
    SPELLINGS,
    OutputFormat,
    default_spelling,
    dump_json,
    format_of_errors,
    format_of_result,
    reopen_standard_streams,
    stderr,
    write_message,
    write_result,
)

OTHERS = 0o077
"""The part of a umask that is about others than the owner of a file."""
NOTHING_IS_LOST = "what is recorded of a run stays"
CLOCK_IS_WRONG = "the system clock shows a year after 2262, which Python cannot read: set the clock"

RUN_KEY = "--run-key"
NEWEST = "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    reopen_standard_streams()
    interruption = Interruption(words)
    interruption.listen()
    # A umask that takes away what the owner may do would leave orchesjob a home that it cannot use.
    os.umask(os.umask(OTHERS) & OTHERS)
    # Inherited as ignored from some parents, and handed on, it would hide from orchesjob's worker
    # how its command ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        exit_code = run_command(words, interruption)
    except Interrupted as stop:
        return interruption.report(stop.signum)
    except BrokenPipeError:
        forget_output()
        return UNREAD
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user
        interruption.be_silent()
        is_background = from_command(words)[:1] == ["drive"]
        if is_background and not (is_ours(error) or isinstance(error, OSError)):
            import traceback

            traceback.print_exc()  # into the log of the background process
        forget_output()
        write_message(_error_words(error, words))
        return WRONG
    interruption.be_silent()
    return exit_code


def run_command(words: list[str], interruption: Interruption) -> int:
    """Answer a plain question at once, and let click read everything else."""
    question = parse_question(words)
    if question is not None:
        answer(question)
        return DONE
    import click

    from orchesjob_flow.cli.sections import COMPLETE_VARIABLE, PROGRAM, cli

    if COMPLETE_VARIABLE in os.environ:
        from orchesjob_flow.cli.shells import register

        register()
    colour = False if "NO_COLOR" in os.environ else None
    try:
        result = cli.main(
            words,
            PROGRAM,
            COMPLETE_VARIABLE,
            standalone_mode=False,
            color=colour,
            obj=interruption.name_run,
        )
    except click.exceptions.NoArgsIsHelpError as error:
        write_result(f"{error.ctx.get_help()}\n")
        raise click.UsageError("no command was given", error.ctx) from error
    except SystemExit as error:  # click has answered TAB, or nobody reads stdout any more
        if COMPLETE_VARIABLE in os.environ:
            return DONE
        raise BrokenPipeError from error
    except OSError as error:
        if was_raised_in("click.utils", error):  # which prints only help and the version
            raise ResultLost(error.strerror or str(error)) from error
        raise
    sys.stdout.flush()
    return result if isinstance(result, int) else DONE


class Question(NamedTuple):
    """What a plain call of `status` asks."""

    run_key: str
    database: str | None
    spelling: str = "auto"
    """What the answer is to look like: `views.terminal` knows what that means."""


def parse_question(words: Sequence[str]) -> Question | None:
    """Read `[--db PATH] status KEY [--format FORMAT]`; None if it is anything else.

    The key may also be the value of `--run-key` or `-k`. Which run is the newest is not plain.

    >>> parse_question(["--db=x.sqlite3", "status", "--run-key", "nightly"])
    Question(run_key='nightly', database='x.sqlite3', spelling='auto')
    >>> parse_question(["status", "nightly", "--format", "yaml"])
    """
    found: dict[str, str] = {}
    rest, own = iter(words), (RUN_KEY, "--format")
    for word in rest:
        name, has_value, value = word.partition("=")
        name = RUN_KEY if word == "-k" else name
        if word == "status" and not found.keys() - {"--db"}:
            found[word] = word
        elif "status" in found and not word.startswith("-"):
            if RUN_KEY in found:
                return None
            found[RUN_KEY] = word
        elif name in found or name not in (own if "status" in found else ("--db",)):
            return None
        else:
            found[name] = value if has_value else next(rest, "")
    spelling = found.get("--format") or default_spelling()
    plain = "status" in found and spelling in SPELLINGS and all(found.values())
    if not plain or found.get(RUN_KEY, NEWEST) == NEWEST:
        return None
    return Question(found[RUN_KEY], found.get("--db"), spelling)


def answer(question: Question) -> None:
    """Print the run as it is now, as `commands.status` does."""
    from orchesjob_flow.home import RunHandle, Settings
    from orchesjob_flow.views.results import show_run

    handle = RunHandle(question.run_key, Settings.from_options(question.database, None))
    show_run(handle, handle.snapshot(), format_of_result(question.spelling))


def was_raised_in(module: str, error: Exception) -> bool:
    """Tell whether it was a call made by this module that failed; import nothing for that."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and place.tb_frame.f_globals["__name__"] == module


def forget_output() -> None:
    """Keep Python from trying again, when it exits, to write what cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def exit_at_once(exit_code: int) -> None:
    """Exit, unless Python has something left to do: it would free every object one by one.

    That takes as long as `status` takes to read a run. All of our threads are daemons, which do not
    delay the end of a process.
    """
    if atexit._ncallbacks():
        return
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        return  # Python tells what is wrong
    os._exit(exit_code)


def _error_words(error: Exception, words: Sequence[str]) -> str:
    error = with_file_meant(error, words)
    described = describe_error(error, words)
    if format_of_errors(words) is OutputFormat.TEXT:
        # Without the means to load what words take, the line of JSON will do.
        with suppress(ImportError, MemoryError, OSError):
            return _text_of(error, described)
    return dump_json(described, indent=None)


def with_file_meant(error: Exception, words: Sequence[str]) -> Exception:
    """Say what may be meant by a flow file that is not there."""
    problem, *others = getattr(error, "problems", None) or (None,)
    if problem is None or others or problem.fact != "no such file":
        return error
    from attrs import evolve

    from flow_spec import FlowFileError
    from orchesjob_flow.cli.advice import for_missing_file

    advice = for_missing_file(words, str(getattr(error, "source", "")))
    meant = evolve(problem, message=f"{problem.fact}; {advice}", help=advice)
    return FlowFileError(str(getattr(error, "source", "")), (meant,))


def _text_of(error: Exception, described: dict[str, Any]) -> str:
    from flow_spec import FlowFileError
    from orchesjob_flow.views.error_layout import error_text, flow_file_text, style_of

    style = style_of(stderr())
    if isinstance(error, FlowFileError):
        return flow_file_text(error, style)
    return error_text(described, style)


def describe_error(error: Exception, words: Sequence[str] = ()) -> dict[str, Any]:
    """Describe an error in one sentence, with the data that a script can use.

    `words` are those of the command line, on which the help depends (rule 6.12).
    """
    if not is_ours(error):
        if (lack := exhausted_resource(error)) is not None:
            return {"error": f"{ResourceExhausted('cannot go on', lack)}; {NOTHING_IS_LOST}"}
        if isinstance(error, OverflowError) and "timestamp" in str(error):  # of `time.time`
            return {"error": f"{CLOCK_IS_WRONG}; {NOTHING_IS_LOST}"}
        if not isinstance(error, OSError):
            return describe_usage(error, words) or {
                "error": f"internal error, please report it: {error!r}; {NOTHING_IS_LOST}"
            }
        if error.filename is not None:
            remedy = "check its owner and mode, and those of the folders above it"
            what = f"cannot use {os.fsdecode(error.filename)}: {error.strerror}; {remedy}"
            return {"error": what}
    described: dict[str, Any] = {"error": str(error)}
    problems = getattr(error, "problems", None)
    if problems is not None:
        from orchesjob_flow.views.error_layout import problems_json

        described["problems"] = problems_json(problems)
    return described | getattr(error, "details", {})


def describe_usage(error: Exception, words: Sequence[str]) -> dict[str, Any] | None:
    """Describe a mistake on the command line, and name its help; None for another error."""
    import click

    if not isinstance(error, click.ClickException):
        return None
    # click may list choices in lines of their own.
    described = {"error": re.sub(r"\n\s*", " ", error.format_message())}
    if isinstance(error, click.UsageError):
        from orchesjob_flow.cli.advice import advice_on, fact_of

        described["error"] = fact_of(error) or described["error"]
        described["help"] = advice_on(error, words)
    return described


def is_ours(error: Exception) -> bool:
    """Tell whether an error was made here, with a sentence for people."""
    if isinstance(error, FlowError):
        return True
    from flow_spec import FlowSpecError
    from flow_store import StoreError
    from orchesjob_client import OrchesjobError

    return isinstance(error, FlowSpecError | StoreError | OrchesjobError)
