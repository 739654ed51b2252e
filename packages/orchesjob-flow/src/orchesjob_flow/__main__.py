"""Where the program begins: `orchesjob-flow` and `python -m orchesjob_flow`.

Imports next to nothing at the top: until `door` is loaded, nobody turns a Ctrl-C into an answer.
"""

import signal
import sys


def main() -> int:
    """Run the program; while it is being loaded, Ctrl-C ends it without a word."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from orchesjob_flow.door import main as door

    return door()


if __name__ == "__main__":
    sys.exit(main())
