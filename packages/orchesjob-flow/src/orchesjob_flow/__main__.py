"""`python -m orchesjob_flow` is the command `orchesjob-flow`."""

import sys

from orchesjob_flow.cli import main

if __name__ == "__main__":
    sys.exit(main())
