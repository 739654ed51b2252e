"""The cgroup of a job: whoever is begun in it is the job's, whatever it sheds (rule 5.8)."""

import os
import shlex
import signal
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from orchesjob_client import (
    Process,
    ProcessesKeepAppearing,
    discard_empty_cgroups,
    mark,
    usable_cgroup_folder,
)
from orchesjob_client.call import run_call
from orchesjob_client.environment import LEFT
from orchesjob_client.processes import cgroups, survivors
from orchesjob_client.processes.cgroups import JobCgroups
from orchesjob_client.processes.proc import has_ended
from orchesjob_client.processes.survivors import end_survivors, find_survivors, marked_trees

# Two processes that run tests at the same time must not end what the other one has begun.
HOME = f"/var/lib/orchesjob-of-test-{os.getpid()}"
CGROUPS = JobCgroups(HOME)
EVENT_SEC = 30.0


needs_cgroups = pytest.mark.usefixtures("cgroup_place")


@pytest.fixture
def key() -> Iterator[str]:
    """The key of a job of which nothing is left after the test."""
    key = uuid.uuid4().hex
    yield key
    end_survivors(HOME, [key], 0.0)
    CGROUPS.discard(key)


def begin(key: str, script: str, **options: str) -> int:
    """Run a script as `orchesjob start` is run; it has left one process, whose PID it prints."""
    words = ["/bin/sh", "-c", script]
    with CGROUPS.joinable(key) as cgroup:
        answer = run_call("a test", words, limit_sec=EVENT_SEC, env=options, cgroup=cgroup)
    return int(answer.stdout)


def folder_of(key: str) -> Path:
    return usable_cgroup_folder() / f"orchesjob-flow-{mark(HOME, key)}"


DAEMON = "setsid env -i /bin/sleep 600 >/dev/null 2>&1 </dev/null & echo $!"


@needs_cgroups
def test_a_daemon_without_environment(key: str) -> None:
    """What has no mark, no parent and no session of the job's is found and ended (rule 5.8)."""
    pid = begin(key, DAEMON)
    assert [found.pid for found in find_survivors(HOME, [key])] == [pid]
    assert not find_survivors(HOME, [f"{key}:2"])
    assert not find_survivors("/another/home", [key])
    assert not end_survivors(HOME, [key], EVENT_SEC)
    assert not Path(f"/proc/{pid}/exe").exists()
    assert not folder_of(key).exists()


CHAIN = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), flush=True)
null = os.open("/dev/null", os.O_RDWR)
os.dup2(null, 1)
os.dup2(null, 2)
while os.path.exists("{flag}"):
    if os.fork():
        os._exit(0)
    os.setsid()
"""


@needs_cgroups
@pytest.mark.usefixtures("only_chain")
def test_a_chain_without_environment(key: str, tmp_path: Path) -> None:
    """A cgroup ends at once, however fast its processes fork (rule 5.8)."""
    chain = tmp_path / "chain.py"
    flag = tmp_path / "flag"
    flag.touch()
    chain.write_text(CHAIN.replace("{flag}", str(flag)), encoding="utf-8")
    try:
        begin(key, f"exec env -i {sys.executable} -SEI {chain}")
        assert cgroups.is_populated(folder_of(key))
        while end_survivors(HOME, [key], 0.0):
            pass
        assert not folder_of(key).exists()
    finally:
        flag.unlink()


@needs_cgroups
def test_found_from_elsewhere(key: str) -> None:
    """Who takes over in another cgroup finds that of the job, and everybody in it (rule 5.8)."""
    pid = begin(key, DAEMON)
    script = (
        "import os, sys; from pathlib import Path;"
        "Path(sys.argv[1], 'cgroup.procs').write_text('0');"
        "from orchesjob_client.processes.survivors import find_survivors;"
        "print([one.pid for one in find_survivors(sys.argv[2], [sys.argv[3]])])"
    )
    elsewhere = usable_cgroup_folder() / f"a-test-{key}"
    elsewhere.mkdir()
    try:
        words = [sys.executable, "-c", script, str(elsewhere), HOME, key]
        printed = subprocess.run(words, capture_output=True, check=True)
        assert printed.stdout == f"[{pid}]\n".encode()
    finally:
        elsewhere.rmdir()


@needs_cgroups
def test_a_starter_that_is_moved(key: str) -> None:
    """The cgroup of each job is below that in which its starter is at the moment."""
    script = """
import os, sys
from pathlib import Path
from orchesjob_client.processes.cgroups import JobCgroups
elsewhere, home, key = sys.argv[1:]
jobs = JobCgroups(home)
for place in (None, elsewhere):
    if place:
        Path(place, "cgroup.procs").write_text("0", "ascii")
    with jobs.joinable(key) as cgroup:
        print(os.path.dirname(os.readlink(f"/proc/self/fd/{cgroup}")))
    jobs.discard(key)
"""
    here = usable_cgroup_folder()
    elsewhere = here / f"a-test-{key}"
    elsewhere.mkdir()
    try:
        words = [sys.executable, "-c", script, str(elsewhere), HOME, key]
        printed = subprocess.run(words, capture_output=True, check=True, text=True)
        assert printed.stdout == f"{here}\n{elsewhere}\n"
    finally:
        elsewhere.rmdir()


@needs_cgroups
def test_who_is_in_it_does_not_end_itself(key: str) -> None:
    """A job that ends its own processes, by a `cancel` say, does not end the one that does so."""
    script = (
        "from orchesjob_client.processes.survivors import end_survivors;"
        f"print(len(end_survivors({HOME!r}, [{key!r}], 0.0)))"
    )
    path = os.environ.get("PYTHONPATH", "")
    code = f'{DAEMON} >&2; exec {sys.executable} -c "{script}"'
    assert begin(key, code, PYTHONPATH=path) == 0


@needs_cgroups
@pytest.mark.parametrize(
    ("variable", "is_inside"), [("", True), ("ORCHESJOB_FLOW_MARK", True), (LEFT, False)]
)
def test_inside_another_job(key: str, variable: str, *, is_inside: bool) -> None:
    """A job that another one starts is in its cgroup, unless its starter leaves it (5.8a).

    It makes no difference whether the starter has kept the mark.
    """
    inner = f"{key}:inner"
    script = (
        "import os, subprocess, sys;"
        "from orchesjob_client.processes.cgroups import JobCgroups, enter, leave_cgroups;"
        "environ = {'ORCHESJOB_HOME': sys.argv[1], sys.argv[2]: sys.argv[3]};"
        "leave_cgroups(environ);"
        "manager = JobCgroups(sys.argv[1]).joinable(sys.argv[4]);"
        "cgroup = manager.__enter__();"
        "words = ['/usr/bin/env', '-i', '/bin/sleep', '600'];"
        "null = subprocess.DEVNULL;"
        "daemon = subprocess.Popen(words, start_new_session=True, stdout=null, stderr=null,"
        " preexec_fn=lambda: enter(cgroup));"
        "print(daemon.pid, flush=True);"
        "os._exit(0)"
    )
    words = shlex.join([sys.executable, "-c", script, HOME, variable, mark(HOME, key), inner])
    pid = begin(key, f"exec {words}", PYTHONPATH=os.environ.get("PYTHONPATH", ""))
    try:
        assert [one.pid for one in find_survivors(HOME, [inner])] == [pid]
        assert [one.pid for one in find_survivors(HOME, [key])] == ([pid] if is_inside else [])
    finally:
        assert not end_survivors(HOME, [inner], EVENT_SEC)


@needs_cgroups
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what others own")
def test_nobody_else_can_lock_it(key: str) -> None:
    """Whoever could open the cgroup of a job could hold a lock for which the job waits."""
    with CGROUPS.joinable(key) as cgroup:
        assert cgroup is not None
        assert stat.S_IMODE(os.fstat(cgroup).st_mode) == 0o700
    CGROUPS.discard(key)


@needs_cgroups
def test_a_cgroup_of_another_user(key: str) -> None:
    """A cgroup that somebody else has made does not count, and his process is left alone (5.8)."""
    folder = folder_of(key)
    folder.mkdir()
    os.chown(folder, 1, 1)
    bystander = subprocess.Popen(["/bin/sleep", "600"])
    try:
        (folder / "cgroup.procs").write_text(str(bystander.pid), encoding="ascii")
        with CGROUPS.joinable(key) as cgroup:
            assert cgroup is None
        assert find_survivors(HOME, [key]) == []
        assert not end_survivors(HOME, [key], 0.0)
        CGROUPS.discard(key)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
        folder.rmdir()


@needs_cgroups
def test_all_at_once(key: str) -> None:
    """Everybody in a cgroup is killed in one go, which no fork outruns (rule 5.8)."""
    pidfd = os.pidfd_open(begin(key, DAEMON))
    try:
        cgroups.kill_all(folder_of(key))
        assert has_ended(pidfd, EVENT_SEC)
    finally:
        os.close(pidfd)


@needs_cgroups
@pytest.mark.parametrize("is_seen", [True, False])
def test_who_outruns_every_signal(
    key: str, monkeypatch: pytest.MonkeyPatch, *, is_seen: bool
) -> None:
    """The cgroup is killed as a whole where looks or signals miss its processes (rule 5.8)."""
    begin(key, DAEMON)
    missed: list[object] = []
    signalled: list[Sequence[Process]] = []

    def miss_once(*given: Any) -> Sequence[Process]:
        if not is_seen and not missed:
            missed.append(given)
            raise ProcessesKeepAppearing("a test")
        return marked_trees(*given)

    # No chain of processes outruns looks and signals for certain: so both are replaced.
    monkeypatch.setattr(survivors, "marked_trees", miss_once)
    monkeypatch.setattr(survivors, "end_processes", lambda found, _: signalled.append(found))
    assert not end_survivors(HOME, [key], 0.0 if is_seen else EVENT_SEC)
    assert bool(signalled) is is_seen


@needs_cgroups
def test_only_empty_ones_are_removed(key: str) -> None:
    """The folder of a cgroup goes when nobody is in it, and nobody is about to join it."""
    with CGROUPS.joinable(key):
        CGROUPS.discard(key)
        discard_empty_cgroups()
        assert folder_of(key).is_dir()
    pid = begin(key, DAEMON)
    discard_empty_cgroups()
    assert folder_of(key).is_dir()
    pidfd = os.pidfd_open(pid)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
    while cgroups.is_populated(folder_of(key)):
        os.sched_yield()
    discard_empty_cgroups()
    assert not folder_of(key).exists()


@needs_cgroups
def test_a_job_with_cgroups_of_its_own(key: str) -> None:
    """Who lives in a cgroup that the job has made is found and ended, and its folder goes too."""
    inner = f"{folder_of(key)}/container/payload"
    script = f"mkdir -p {inner}; (echo 0 >{inner}/cgroup.procs; exec {DAEMON})"
    pid = begin(key, script)
    discard_empty_cgroups()
    assert [found.pid for found in find_survivors(HOME, [key])] == [pid]
    assert Path(inner).is_dir()
    assert not end_survivors(HOME, [key], EVENT_SEC)
    assert not folder_of(key).exists()


WITHOUT = """
import sys
from pathlib import Path
from orchesjob_client import discard_empty_cgroups
from orchesjob_client.processes.survivors import find_survivors
from orchesjob_client.processes.cgroups import JobCgroups
from orchesjob_client.call import run_call
from orchesjob_client.processes.cgroups import is_populated
home, key, elsewhere = sys.argv[1:]
with JobCgroups(home).joinable(key) as cgroup:
    finished = run_call("a test", ["/bin/echo", "x"], limit_sec=30, env={}, cgroup=cgroup)
    print(cgroup, finished.stdout)
discard_empty_cgroups()
print(find_survivors(home, [key]), is_populated(Path(elsewhere)))
"""


def test_where_there_can_be_none(key: str, tmp_path: Path) -> None:
    """Where no cgroups can be made a job is started all the same, and nobody is told.

    Who does not see its own cgroup is in none that it sees.
    """
    (tmp_path / "cgroup.events").write_text("populated 1\nfrozen 0\n", encoding="ascii")
    words = [sys.executable, "-c", WITHOUT, HOME, key, str(tmp_path)]
    with suppress(OSError):
        folder = usable_cgroup_folder()
        if os.getuid() != 0:
            # Who has cgroups and is not root cannot be without them; as root, and where there are
            # none, this runs.
            pytest.skip("needs root to hide the tree of cgroups")
        tree = next(path for path in (folder, *folder.parents) if path.is_mount())
        words = ["unshare", "-m", "sh", "-c", 'umount -l "$0" && exec "$@"', str(tree), *words]
    printed = subprocess.run(words, capture_output=True, check=True, text=True)
    assert printed.stdout == "None x\n\n[] True\n"


UNSEEN = "no cgroup of version 2 can be seen"
UNMOUNTED = "no cgroups of version 2 are mounted"


@pytest.mark.parametrize(
    ("line", "own", "expected"),
    [
        ("38 31 0:35 / {place} rw - cgroup2 cgroup2 rw", "0::/", ""),
        ("38 31 0:35 /a {place} rw - cgroup2 cgroup2 rw", "0::/a/b", "b"),
        ("38 31 0:35 /x {place} rw - cgroup2 cgroup2 rw", "0::/a/b", UNSEEN),
        ("38 31 0:35 / {place} rw - cgroup2 cgroup2 rw", "4:cpu:/", UNSEEN),
        ("38 31 0:35 / {place} rw - cgroup cgroup rw,cpu", "0::/", UNMOUNTED),
    ],
)
def test_own_folder(line: str, own: str, expected: str, tmp_path: Path) -> None:
    """The folder of this process's cgroup follows from what is mounted where."""
    place = tmp_path / "with space"
    mounts, cgroup = tmp_path / "mountinfo", tmp_path / "cgroup"
    mounts.write_text(line.format(place=str(place).replace(" ", "\\040")), encoding="utf-8")
    cgroup.write_text(f"{own}\n", encoding="utf-8")
    if expected in (UNSEEN, UNMOUNTED):
        with pytest.raises(FileNotFoundError, match=expected):
            cgroups.own_folder(mounts, cgroup)
    else:
        assert cgroups.own_folder(mounts, cgroup) == place / expected
