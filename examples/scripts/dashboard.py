#!/usr/bin/env python3
"""Print every ten seconds which runs there are, and the steps of those that need attention.

It calls `list` and `status` of orchesjob-flow, which only read. So it may be started and killed at
any time, beside any number of runs.
"""

import argparse
import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

TO_BE_SHOWN = ("RUNNING", "DELAYED", "FAILED")


def main() -> None:
    """Print one page after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="orchesjob-flow", metavar="PATH")
    parser.add_argument("--every-sec", type=float, default=10.0, metavar="SECONDS")
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="how many are shown")
    parser.add_argument("--pages", type=int, metavar="N", help="print N pages, then end")
    options = parser.parse_args()
    printed = 0
    while True:
        print(time.strftime("%Y-%m-%d %H:%M:%S"))
        for line in page(options.program, options.runs):
            print(line)
        print(flush=True)
        printed += 1
        if printed == options.pages:
            break
        time.sleep(options.every_sec)


def page(program: str, limit: int) -> Iterator[str]:
    """Yield a line for each run, newest first, and one for each step that needs attention."""
    for listed in ask(program, "list", f"--limit={limit}")["runs"]:
        if listed["status"] in ("SUCCEEDED", "CANCELLED"):
            yield describe(listed, listed["steps"]["done"], listed["steps"]["total"])
            continue
        try:
            run = ask(program, "status", f"--run-key={listed['run_key']}")
        except subprocess.CalledProcessError:
            continue  # pruned since it was listed; stderr has the reason
        # Take everything about a run from one answer: it may have advanced since it was listed.
        ended = [step for step in run["steps"] if step["finished_at"] is not None]
        yield describe(run, len(ended), len(run["steps"]))
        for step in run["steps"]:
            if step["status"] in TO_BE_SHOWN:
                yield f"    {step['id']} {step['status']}: {step['reason']}"


def ask(program: str, *words: str) -> Any:
    """Call orchesjob-flow and return its answer.

    Raises:
        subprocess.CalledProcessError: It refused, and printed the reason to stderr.
    """
    command = [program, *words, "--format=json"]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(finished.stdout)


def describe(run: Any, done: int, total: int) -> str:
    """Describe the state of a run."""
    abandoned = run["finished_at"] is None and run["runner"] is None
    hint = ", and nobody advances it" if abandoned else ""
    return f"{run['run_key']} {run['status']} {done}/{total}{hint}"


if __name__ == "__main__":
    main()
