"""`python -m orchesjob_flow` is the command `orchesjob-flow`."""

import sys

from orchesjob_flow.door import main

if __name__ == "__main__":
    sys.exit(main())
