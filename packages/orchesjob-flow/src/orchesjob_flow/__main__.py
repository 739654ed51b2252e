"""Where the program begins: `orchesjob-flow` and `python -m orchesjob_flow`.

Almost nothing is imported at the top: until `main` is loaded, nothing answers a Ctrl-C.
"""

import gc
import signal
import sys

ALLOCATIONS_BETWEEN_COLLECTIONS = 100_000
"""Loading makes 34,000 objects and no garbage; by default Python would look for it 48 times."""


def main() -> int:
    """Run the program; while it is being loaded, Ctrl-C ends it silently."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS)
    from orchesjob_flow.main import main as run

    exit_code = run()
    gc.freeze()  # at exit, Python need not search what ends with the process
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
