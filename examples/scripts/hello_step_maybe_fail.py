#!/usr/bin/env python3
"""The step of hello_step.py, which ends with exit code 1 if it is given `--fail`."""

import argparse
import sys

from hello_step import say_hello

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fail", action="store_true", help="end with exit code 1")
    if say_hello(parser).fail:
        sys.exit("failing, as asked for with --fail")
