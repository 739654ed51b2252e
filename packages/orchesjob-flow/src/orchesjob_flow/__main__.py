"""Where the program begins: `orchesjob-flow` and `python -m orchesjob_flow`.

Imports next to nothing at the top: until `door` is loaded, nobody turns a Ctrl-C into an answer.
"""

import gc
import signal
import sys

ALLOCATIONS_BETWEEN_COLLECTIONS = 100_000
"""Loading makes 34,000 objects and no garbage; at the usual 700 Python looks for it 48 times."""


def main() -> int:
    """Run the program; while it is being loaded, Ctrl-C ends it without a word."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS)
    from orchesjob_flow.door import main as door

    exit_code = door()
    gc.freeze()  # Python's end need not search what vanishes with the process
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
