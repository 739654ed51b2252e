"""Where the program begins: `orchesjob-flow` and `python -m orchesjob_flow`.

Until `main` is loaded nothing answers a Ctrl-C, for which Python itself would print a traceback. So
before anything else is imported, it is made to end the program silently (rule 6.9).
"""

import _signal  # type: ignore[import-not-found] # `signal` takes milliseconds to load

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import gc
import os
import sys

ALLOCATIONS_BETWEEN_COLLECTIONS = 1_000_000
"""Loading makes 34,000 objects and no garbage; by default Python would look for it 48 times.

To read a run of 10,000 steps makes a million. Looking after each 100,000 of them took a quarter of
the time of `explain` and `report`.
"""


def main() -> int:
    """Run the program, unless there is not even the means to load it."""
    speak_utf8()
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS)
    try:
        from orchesjob_flow.main import exit_at_once
        from orchesjob_flow.main import main as run

        exit_code = run()
    except (ImportError, MemoryError, OSError, SystemError) as error:
        return refuse(error)
    exit_at_once(exit_code)
    return exit_code


def refuse(error: Exception) -> int:
    """Say in one sentence, with almost no means, that the program cannot even be loaded."""
    # A SystemError is the interpreter's, which had no memory even for an exception.
    cause = "" if isinstance(error, SystemError) else str(error)
    cause = cause or "there is not enough memory"
    shown = cause.replace("\\", "/").replace('"', "'").encode("ascii", "replace").decode()
    remedy = "check its installation, and the limits of memory and of open files (`ulimit -a`)"
    words = f"the program cannot be loaded: {shown}; {remedy}"
    line = f"error: {words}\n" if os.isatty(2) else f'{{"error":"{words}"}}\n'
    os.write(2, line.encode())
    return 2


def speak_utf8() -> None:
    """Begin anew in UTF-8 where the locale is another one: flow files are in UTF-8 (rule 5.12).

    The option, unlike a variable, is heeded under `python -E` too, and no step inherits it.
    """
    in_utf8 = ["-X", "utf8"]
    if sys.getfilesystemencoding() == "utf-8" or sys.orig_argv[1:3] == in_utf8:
        return
    import contextlib

    # Where this fails, whatever cannot be named in the locale gets an error of its own.
    with contextlib.suppress(OSError):
        os.execv(sys.executable, [sys.executable, *in_utf8, *sys.orig_argv[1:]])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
