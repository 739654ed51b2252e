"""The crontab of docs/how-to/cron.md under Debian's cron: what it mails, and what it does not."""

import email
import email.message
import email.policy
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.deadlines import EVENT_SEC
from support.files import write_program
from support.flow import Flow

from .machine import Machine, adapted, documented, folder_of, need

MINUTE_SEC = 60
"""Cron looks at its tables no more often."""
SPOOL = "/var/spool/cron/crontabs"
SCRIPT = "<!-- file: nightly -->"
FAILING = ["sh", "-c", "echo 120 orders; echo 'no such table: orders' >&2; exit 2"]


class Cron:
    """A cron that serves one crontab, and keeps the mail that it sends."""

    def __init__(self, flow: Flow, crontab: str) -> None:
        self._flow = flow
        self.mails = flow.folder / "mails"
        self.mails.mkdir()
        table = flow.folder / "crontab"
        table.write_text(crontab, encoding="utf-8")
        sink = write_program(
            flow.folder / "sendmail",
            f"#!/bin/sh\ncat >{self.mails}/$$.new && mv {self.mails}/$$.new {self.mails}/$$.mail\n",
        )
        self.machine = Machine(
            [
                "mount -t tmpfs tmpfs /run",
                "mount -t tmpfs tmpfs /etc/cron.d",
                "mount --bind /dev/null /etc/crontab",
                f"mount -t tmpfs tmpfs {SPOOL}",
                f"install -m 600 {shlex.quote(str(table))} {SPOOL}/root",
                f"mount --bind {shlex.quote(sink)} {need('sendmail')}",
            ],
            need("cron"),
            "-f",
        )

    def mail(self) -> list[email.message.EmailMessage]:
        files = sorted(self.mails.glob("*.mail"), key=lambda file: file.stat().st_mtime)
        texts = [file.read_bytes() for file in files]
        return [email.message_from_bytes(text, policy=email.policy.default) for text in texts]

    def await_true(self, condition: Callable[[], object]) -> None:
        self._flow.await_true(condition, within_sec=2 * MINUTE_SEC + EVENT_SEC)


@pytest.fixture
def cron(real_flow: Flow) -> Iterator[Callable[[str], Cron]]:
    """Return what starts a cron with these lines below the variables of the documented crontab."""
    del real_flow.environ["ORCHESJOB_FLOW_HOME"]  # the crontab has one home for both
    started: list[Cron] = []

    def start(lines: str) -> Cron:
        variables, _, _ = documented("cron.md", "crontab").partition("\n\n")
        ours = {
            "/home/me/.local/share/orchesjob": real_flow.orchesjob.home,
            "/home/me/.local/bin": f"{real_flow.folder}:{folder_of(real_flow)}",
        }
        variables = adapted(variables, ours)
        real_flow.orchesjob.home.mkdir(exist_ok=True)
        started.append(Cron(real_flow, f"{variables}\n{lines}"))
        return started[-1]

    yield start
    for each in started:
        each.machine.close()


def command_lines(text: str, flow_file: Path | str) -> str:
    lines = [line for line in text.splitlines() if "orchesjob-flow" in line or "nightly" in line]
    every_minute = [" ".join(["* * * * *", *line.split(maxsplit=5)[5:]]) for line in lines]
    return "\n".join(every_minute).replace("/home/me/flows/nightly.yaml", str(flow_file)) + "\n"


def test_a_foreground_start_fails(real_flow: Flow, cron: Callable[[str], Cron]) -> None:
    """One mail tells by its subject which script it is, and what has failed and why (9.14)."""
    file = real_flow.write({"id": "load", "command": FAILING})
    script = documented("cron.md", "bash")
    write_program(real_flow.folder / "nightly", script.replace("/home/me/flows/nightly.yaml", file))
    running = cron(command_lines(documented("cron.md", "crontab", after=SCRIPT), file))
    running.await_true(running.mail)
    (mail,) = running.mail()
    assert mail["Subject"].endswith("> nightly")
    (run,) = real_flow.ask("list")["runs"]
    assert mail.get_content().splitlines() == [
        f"run {run['run_key']} of flow f FAILED: 1 step failed: load",
        "load FAILED exit code 2, after printing:",
        "load | 120 orders",
        "load | no such table: orders",
    ]


def test_all_is_well(real_flow: Flow, cron: Callable[[str], Cron]) -> None:
    """The documented lines start a run once, repeat themselves, and mail nothing (4.3, 9.8)."""
    beats = real_flow.folder / "beats"
    file = real_flow.write({"id": "load", "command": ["true"]})
    lines = command_lines(documented("cron.md", "crontab"), file)
    running = cron(f"{lines}* * * * * echo >> {beats}\n")
    running.await_true(lambda: beats.exists() and beats.read_text(encoding="ascii") == "\n\n")
    (run,) = real_flow.ask("list")["runs"]
    assert (run["status"], running.mail()) == ("SUCCEEDED", [])
    (step,) = real_flow.status(run["run_key"])["steps"]
    assert len(step["attempts"]) == 1


def test_a_runner_gives_up(real_flow: Flow, cron: Callable[[str], Cron]) -> None:
    """Cron mails which run suffers from what, and goes on with it once that is fixed (5.7)."""
    path = real_flow.folder / "orchesjob"  # the first on cron's PATH
    write_program(path, "#!/bin/sh\necho no such disk >&2\nexit 70\n")
    file = real_flow.write({"id": "load", "command": ["true"]})
    lines = command_lines(documented("cron.md", "crontab"), file)
    running = cron(re.sub("orchesjob-flow (?=start|resume)", r"\g<0>--patience=1 ", lines))

    def mailed_by(line: str) -> str:
        mails = [mail for mail in running.mail() if line in mail["Subject"]]
        return "".join(mail.get_content() for mail in mails)

    running.await_true(lambda: mailed_by("start --every"))
    running.await_true(lambda: mailed_by("resume --all"))
    (run,) = real_flow.ask("list")["runs"]
    gave_up = f"gave up on run '{run['run_key']}': "
    for line in ("start --every", "resume --all"):
        assert gave_up in mailed_by(line)
        assert "no such disk" in mailed_by(line)

    write_program(path, f'#!/bin/sh\nexec {folder_of(real_flow)}/orchesjob "$@"\n')
    running.await_true(lambda: real_flow.ask("list")["runs"][0]["status"] == "SUCCEEDED")
