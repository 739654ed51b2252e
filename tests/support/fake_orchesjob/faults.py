# ruff: noqa: PTH118, PTH123 - importing pathlib takes as long as half a call
"""Faults on demand: which calls go wrong, where, and how.

`$FAKE_ORCHESJOB_SCRIPT` names a JSON file with a list of rules, which may be missing. A rule says

- which calls: `call` is `start`, `status`, `abort`, `clean` or `worker`; `key` a glob on
  the run key (default `*`; `status --running` has the empty key); of the calls that match so far
  `nth` takes one; without it, all;
- where: `when`, a point that the call passes (default `before`):
  start: before, recorded (row STARTING, no worker), spawned (worker forked), answer, answered;
  status, clean: before, answer, answered;
  abort: before, recorded (row ABORTED, no signal sent), answer, answered;
  worker: before, spawned (command runs, row STARTING);
- what: `fault`, one of
  `locked`: exit 1 with the traceback of a locked database;
  `exit`: exit with `code`, writing `stderr`;
  `die`: SIGKILL to itself;
  `hang`: for `sec` seconds, or for ever;
  `forget`: drop the key;
  `finish`: the job has just ended by itself;
  `no_signals`, `leader_only` (abort): send none, or only to the command's first process;
  `answer`: change the answer: `set` overrides keys, `cut` keeps a part (0.5 the first half),
  `text` replaces all of it (a lone surrogate stands for a byte that is not UTF-8), `repeat` says
  how often it is given.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import time

from .words import crash, leave

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than all the rest
if TYPE_CHECKING:
    from typing import Any

    from .jobs import Jobs

    Rule = dict[str, Any]


class Faults:
    """The rules that hit one call."""

    def __init__(self, jobs: Jobs, call: str, key: str) -> None:
        self.jobs = jobs
        self.job_id: str | None = None
        self.key = key
        path = os.environ.get("FAKE_ORCHESJOB_SCRIPT")
        self.rules = _due(_read(path), jobs.home, call, key) if path else []

    def about(self, job_id: str) -> None:
        """Say which job the call is about, as soon as that is known."""
        self.job_id = job_id

    def at(self, point: str) -> None:
        for rule in self.rules:
            if rule.get("when", "before") == point and rule["fault"] in _ACTIONS:
                _ACTIONS[rule["fault"]](self, rule)

    def has(self, fault: str) -> bool:
        """Tell whether a fault that has no point of its own is wanted."""
        return any(rule["fault"] == fault for rule in self.rules)

    def change(self, answer: Any) -> str:
        """Return the answer's text as the script wants it."""
        rules = [rule for rule in self.rules if rule["fault"] == "answer"]
        for rule in rules:
            for one in answer if isinstance(answer, list) else [answer]:
                one.update(rule.get("set", {}))
        text = json.dumps(answer, indent=2) + "\n"
        for rule in rules:
            text = rule.get("text", text)
            text = text[: int(len(text) * rule.get("cut", 1))] * rule.get("repeat", 1)
        return text

    def locked(self, _: Rule) -> None:
        crash("sqlite3.OperationalError: database is locked")

    def exit(self, rule: Rule) -> None:
        os.write(2, rule.get("stderr", "").encode())
        leave(rule["code"])

    def die(self, _: Rule) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def hang(self, rule: Rule) -> None:
        time.sleep(rule.get("sec", 86_400))  # hanging is the fault

    def forget(self, _: Rule) -> None:
        self.jobs.forget(self.key)

    def finish(self, _: Rule) -> None:
        row = self.jobs.by_id(self.job_id or "")
        ended = row and self.jobs.update(row["job_id"], status="SUCCEEDED", exit_code=0)
        if row and ended and row["target_pid"]:
            os.killpg(row["target_pid"], signal.SIGKILL)


_ACTIONS = {
    "locked": Faults.locked,
    "exit": Faults.exit,
    "die": Faults.die,
    "hang": Faults.hang,
    "forget": Faults.forget,
    "finish": Faults.finish,
}


def _read(path: str) -> list[Rule]:
    try:
        with open(path, encoding="utf-8") as file:
            rules: list[Rule] = json.load(file)
    except FileNotFoundError:
        return []
    return rules


def _due(rules: list[Rule], home: str, call: str, key: str) -> list[Rule]:
    """Count the call against each rule that it matches and return those whose turn it is."""
    matching = [
        (index, rule)
        for index, rule in enumerate(rules)
        if rule["call"] == call and re.fullmatch(_pattern(rule.get("key", "*")), key, re.DOTALL)
    ]
    if not matching:
        return []
    descriptor = os.open(os.path.join(home, "fault-counts"), os.O_RDWR | os.O_CREAT, 0o600)
    with open(descriptor, "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        counts = json.loads(file.read() or "{}")
        for index, _ in matching:
            counts[str(index)] = counts.get(str(index), 0) + 1
        file.seek(0)
        file.truncate()
        json.dump(counts, file)
    return [rule for index, rule in matching if rule.get("nth") in (None, counts[str(index)])]


def _pattern(glob: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in glob)
