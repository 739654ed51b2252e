#!/usr/bin/env python3
"""A step that takes its time: it says hello every 5 seconds, for about a minute.

`--every-sec` and `--for-sec` change that, or HELLO_EVERY_SEC and HELLO_FOR_SEC in the environment.
"""

import argparse
import os
import time


def say_hello(parser):
    """Print `Hello <flow-name>` again and again; return the options that `parser` was given."""
    parser.add_argument("--flow-name", default="world")
    parser.add_argument("--step-id", default="step")
    parser.add_argument("--every-sec", type=float, default=os.environ.get("HELLO_EVERY_SEC", "5"))
    parser.add_argument("--for-sec", type=float, default=os.environ.get("HELLO_FOR_SEC", "60"))
    options = parser.parse_args()
    end = time.monotonic() + options.for_sec
    while True:
        print(f"Hello {options.flow_name} from step {options.step_id}", flush=True)
        left = end - time.monotonic()
        if left <= 0:
            return options
        time.sleep(min(options.every_sec, left))


if __name__ == "__main__":
    say_hello(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
