"""The orchesjob home of a run: the one recorded with it, and no other (rule 4.8).

Also the parent of a run that a step of another run started (rule 5.8a). A run's record names its
parent; a process's environment names the attempt that it belongs to.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from flow_store import (
    LONGEST_PATH,
    AttemptStatus,
    DamagedRecord,
    FlowStore,
    Parent,
    Run,
    RunStatus,
    RunSummary,
    attempt_key,
    reported_job,
)
from orchesjob_client import (
    ORCHESJOB_DATABASE,
    HomeFolder,
    exposure_of_home,
    folder_of_home,
    orchesjob_home,
)
from orchesjob_flow.errors import OtherOrchesjobHome, UnsafePlace, UnusableOrchesjobHome
from orchesjob_flow.home.paths import (
    FLOW_HOME,
    ORCHESJOB_HOME,
    Home,
    find_home,
    is_there,
    make_private,
)
from orchesjob_flow.home.settings import Settings

REMEDY = f"set {ORCHESJOB_HOME} to a folder that you can write to"


def home_of_new_run(
    settings: Settings, run_key: str, *, own_jobs: bool, create: bool = False
) -> str:
    """Return the orchesjob home in which the jobs of a run that starts now will be (rule 4.8).

    With `own_jobs` the run gets its own home, which its runner creates. With `create`, any other
    home is created here, as orchesjob would do.

    Raises:
        UnusableOrchesjobHome: orchesjob could not write there (rule 6.13).
        UnsafePlace: Something else is in the place of the run's own home.
    """
    home, environ = settings.home, settings.environ
    if own_jobs or is_in_own_home(home, environ):
        path = own_home(home, run_key)
        refuse_path(path, home.remedy)
        is_there(home.own_jobs(run_key))
        return path
    return shared_home(environ, create=create)


def shared_home(environ: Mapping[str, str], *, create: bool = False) -> str:
    """Return the home that runs without their own home share; `create` makes a missing one.

    Raises:
        UnusableOrchesjobHome: orchesjob could not write there, or others could.
    """
    home = real_home(environ)
    refuse_exposed(environ.get(ORCHESJOB_HOME) or home)  # a link of others leads anywhere
    refuse_unwritable(home)
    if not create:
        return home
    try:
        make_private(Path(home), parents=True)
    except OSError as error:
        problem = f"cannot be created: {error.strerror}"
        raise UnusableOrchesjobHome(home, problem, REMEDY) from error
    return home


def real_home(environ: Mapping[str, str]) -> str:
    """Return the real path of the home that the environment names, or of orchesjob's default.

    Raises:
        UnusableOrchesjobHome: It is relative to a directory that is gone.
    """
    try:
        return orchesjob_home(environ)
    except FileNotFoundError as error:
        problem = "cannot be found: the current directory has been removed"
        raise UnusableOrchesjobHome(environ[ORCHESJOB_HOME], problem, REMEDY) from error


def refuse_unwritable(home: str) -> None:
    """Refuse a home that orchesjob could not create, write or name in its answers (rule 6.13).

    Raises:
        UnusableOrchesjobHome: It is not a folder, this user cannot write to it or to what orchesjob
            has there, or orchesjob cannot use its path.
    """
    refuse_path(home, REMEDY)
    path = Path(home)
    nearest = next(one for one in (path, *path.parents) if os.path.lexists(one))
    what = "" if nearest == path else f"cannot be created, because {nearest} "
    if not nearest.is_dir():
        raise UnusableOrchesjobHome(home, f"{what}is not a folder", REMEDY)
    if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
        raise UnusableOrchesjobHome(home, f"{what}cannot be written by this user", REMEDY)
    for name in (ORCHESJOB_DATABASE, "logs"):  # orchesjob makes both for one user alone
        if (path / name).exists() and not os.access(path / name, os.R_OK | os.W_OK):
            problem = f"belongs to another user: this user cannot write to {name} in it"
            raise UnusableOrchesjobHome(home, problem, REMEDY)


def refuse_exposed(home: str) -> None:
    """Refuse a home that somebody else could change, or orchesjob's database in it (rule 6.13).

    Raises:
        UnusableOrchesjobHome: Another user owns one of them, or others can write to it.
    """
    found = exposure_of_home(home)
    if found is None:
        return
    place = "" if found.path == os.path.realpath(home) else f"is not safe: {found.path} "
    raise UnusableOrchesjobHome(home, f"{place}{found.problem}", found.remedy(ORCHESJOB_HOME))


def refuse_path(home: str, remedy: str) -> None:
    """Refuse a home whose path orchesjob could not use (rule 6.13).

    Raises:
        UnusableOrchesjobHome: It is not UTF-8, as orchesjob's answers are, or too long for SQLite.
    """
    try:
        home.encode()
    except UnicodeEncodeError as error:
        problem = "has a name that is not UTF-8, which orchesjob cannot use"
        raise UnusableOrchesjobHome(home, problem, remedy) from error
    longest = LONGEST_PATH - len(f"/{ORCHESJOB_DATABASE}")
    if len(os.fsencode(home)) > longest:
        problem = f"has a path of more than {longest} bytes, which SQLite cannot use"
        raise UnusableOrchesjobHome(home, problem, remedy)


def own_home(home: Home, run_key: str) -> str:
    """Return the path that a run's own orchesjob home has, if it has one (rule 4.8).

    Links are resolved except in the last part: a link there is not ours.
    """
    return resolve_parent(home.own_jobs(run_key))


def resolve_parent(path: Path) -> str:
    """Return a path with the links in its folders resolved, but not one in its last part."""
    return str(path.parent.resolve() / path.name)


def has_own_home(home: Home, run: Run) -> bool:
    """Tell whether the jobs of a run are in its own home.

    A flow home that was moved may have left a link, as any home may.
    """
    return resolve_parent(Path(run.orchesjob_home)) == own_home(home, run.run_key)


def is_in_own_home(home: Home, environ: Mapping[str, str]) -> bool:
    """Tell whether an environment belongs to a step whose run has its own home.

    Runs that the step starts must not use that home: it is removed with its run. A run's directory
    and its own home have the same name except for the ending.
    """
    named = Path(real_home(environ))
    if named.parent == home.jobs.resolve():
        return True
    if not named.name.endswith(".jobs"):
        return False
    from flow_spec import StepVariable

    outer = Path(environ.get(StepVariable.RUN_DIR, "")).name.removesuffix(".run")
    return outer != "" and named.name == f"{outer}.jobs"


def take_home(home: Home, run: Run, environ: Mapping[str, str]) -> HomeFolder:
    """Return the folder of the home that `environ` names, which is the run's.

    Until the run has an attempt, a missing home is created.

    Raises:
        UnsafePlace, UnusableOrchesjobHome: It cannot be created, is gone, or was replaced.
    """
    if run.attempts:
        refuse_gone(run, home)
    elif has_own_home(home, run):
        path = home.own_jobs(run.run_key)
        try:
            for folder in (home.jobs, path):
                make_private(folder)
        except OSError as error:
            raise UnsafePlace(path, f"cannot be created: {error.strerror}") from error
    else:
        shared_home(environ, create=True)
    try:
        return folder_of_home(environ)
    except OSError as error:
        raise UnusableOrchesjobHome(run.orchesjob_home, str(error), REMEDY) from error


def stored_inode(folder: HomeFolder) -> int:
    """Return an inode as it is recorded: the database has no room for its highest bit."""
    return folder.inode & (2**63 - 1)


def inode_of_home(home: str) -> int | None:
    """Return the inode of a home as it is recorded; None if there is none."""
    try:
        return stored_inode(folder_of_home({ORCHESJOB_HOME: home}))
    except OSError:
        return None


def environ_of(run: Run, environ: Mapping[str, str], home: Home) -> Mapping[str, str]:
    """Return the environment with which orchesjob is called for a run recorded in `home`.

    If the run has its own orchesjob home, a nested flow still finds the flow home that it would
    find otherwise. A mark stays only if the run is a part of the marked step (rule 5.8a).

    Raises:
        OtherOrchesjobHome: The environment names another home than the run's.
        UnusableOrchesjobHome: The run's home is gone, and its jobs with it, or others could change
            what is in it.
    """
    refuse_exposed(run.orchesjob_home)
    environ = environ_inside(run, environ, home)
    if has_own_home(home, run) or flow_home_before(home, run) is not None:
        refuse_gone(run, home)
        flow_home = find_home(None, environ).database.parent
        return {**environ, ORCHESJOB_HOME: own_home(home, run.run_key), FLOW_HOME: str(flow_home)}
    named = real_home(environ)
    recorded = run.orchesjob_home
    is_same = os.path.realpath(recorded) == named  # a home that was moved may have left a link
    if environ.get(ORCHESJOB_HOME) and not is_same:
        raise OtherOrchesjobHome(run.run_key, recorded, named)
    refuse_gone(run, home)
    if is_same and not environ.get(ORCHESJOB_HOME):
        return environ  # orchesjob's default: to set it would lead a nested flow elsewhere
    return {**environ, ORCHESJOB_HOME: recorded}


def refuse_gone(run: Run, home: Home) -> None:
    """Refuse a run whose jobs are not in its orchesjob home any more (rule 4.8).

    orchesjob would create an empty home, or know none of the jobs.

    Raises:
        UnusableOrchesjobHome: The home is gone, or another folder has taken its place.
    """
    if (loss := loss_of_home(run, home)) is not None:
        problem = f"{loss.problem} the jobs of run {run.run_key!r}"
        raise UnusableOrchesjobHome(run.orchesjob_home, problem, loss.remedy)


class HomeLoss(NamedTuple):
    """Why the jobs of a run are not in its home: the words before these jobs, and the ways out."""

    problem: str
    remedy: str


def loss_of_home(run: Run, home: Home) -> HomeLoss | None:
    """Tell why the jobs of a run are not in its orchesjob home; None if they are, or none began."""
    if (before := flow_home_before(home, run)) is not None:
        now = home.database.parent
        problem = f"was in the flow home {before}, which was moved to {now} with"
        link = f"ln -s {shlex.quote(str(now))} {shlex.quote(str(before))}"
        return HomeLoss(problem, f"move the flow home back, or `{link}` leaves a link there")
    inode = inode_of_home(run.orchesjob_home)
    is_replaced = run.home_inode not in (None, inode) and not replaces_lost(run)
    if not run.attempts or not (inode is None or is_replaced):
        return None
    path = run.orchesjob_home
    database = shlex.quote(f"{path}/{ORCHESJOB_DATABASE}")
    return HomeLoss(
        "is gone, and with it" if inode is None else "is another folder now than the one with",
        "restore it, or leave a symbolic link there if it was moved; if it is lost for good, "
        f"`mkdir -p {shlex.quote(path)} && touch {database}` lets the run end",
    )


def holds_jobs(home: str) -> bool:
    """Tell whether orchesjob has a database in a home; whatever is asked of it creates one."""
    return Path(home, ORCHESJOB_DATABASE).exists()


def flow_home_before(home: Home, run: Run) -> Path | None:
    """Return where the flow home was when a run began that has its own home; None if it is there.

    Only the flow home was moved: processes and outputs still have the names of the former place.
    """
    recorded, own = Path(run.orchesjob_home), home.own_jobs(run.run_key)
    was_own = recorded.name == own.name and recorded.parent.name == own.parent.name
    is_moved = was_own and not recorded.is_dir() and own.is_dir()
    return recorded.parent.parent if is_moved else None


def replaces_lost(run: Run) -> bool:
    """Tell whether another folder may take the place of the home that is recorded with a run.

    It is a copy of it, with output of the run, or a person has put an empty database there.
    """
    database = Path(run.orchesjob_home, ORCHESJOB_DATABASE)
    if database.is_file() and database.stat().st_size == 0:
        return True
    for attempt in run.attempts.values():
        with suppress(DamagedRecord):
            output = (reported_job(run, attempt) or {}).get("stdout_file")
            if isinstance(output, str) and os.path.exists(output):  # noqa: PTH110 - text
                return True
    return False


def environ_inside(run: Run, environ: Mapping[str, str], home: Home) -> Mapping[str, str]:
    """Return the environment of a run in `home`, without the mark of a step that has no part in it.

    Continuing a run from within a step does not make it a part of that step. Only a step of the
    same home can be told from the one that started the run. Where the step is unknown, such as one
    of another home or one that has cleared its environment, the run counts as a part of it.
    """
    from flow_spec import StepVariable

    named = named_parent(environ)
    if named is None or (run.parent is not None and run.parent[:2] == named[:2]):
        return environ
    directory = environ.get(StepVariable.RUN_DIR, "")
    if os.path.realpath(directory) != os.path.realpath(home.run_directory(named.run_key)):
        return environ
    from orchesjob_client import unmarked

    return unmarked(environ)


def named_parent(environ: Mapping[str, str]) -> Parent | None:
    """Return the attempt that an environment names, as each step's does (rule 9.13)."""
    from flow_spec import StepVariable

    names = (StepVariable.RUN_KEY, StepVariable.STEP, StepVariable.ATTEMPT)
    run_key, step_id, number = (environ.get(name, "") for name in names)
    is_number = number.isascii() and number.isdecimal() and len(number) < len(str(2**63))
    return Parent(run_key, step_id, int(number)) if run_key and step_id and is_number else None


def parent_of_new_run(store: FlowStore, environ: Mapping[str, str]) -> Parent | None:
    """Return the attempt of this database inside which this process runs, if there is one.

    Anybody can set variables, and they outlive their step. So the attempt must be recorded, and its
    mark must be in the environment. Where that was cleared, the cgroup shows the attempt.
    """
    from orchesjob_client import MARK, is_marked

    if MARK not in environ:
        return parent_by_cgroup(store)
    parent = named_parent(environ)
    if parent is None or (run := store.load(parent.run_key)) is None:
        return None
    key = attempt_key(parent.run_key, parent.step_id, parent.attempt_no)
    recorded = {(run.steps[past.position].step_id, past.number) for past in run.history}
    is_recorded = (parent.step_id, parent.attempt_no) in recorded
    return parent if is_recorded and is_marked(environ, run.orchesjob_home, key) else None


def parent_by_cgroup(store: FlowStore) -> Parent | None:
    """Return the open attempt of this database in whose cgroup this process is, if there is one."""
    from orchesjob_client import enclosing_marks, mark

    marks = enclosing_marks()
    found = {
        mark(run.orchesjob_home, attempt_key(run.run_key, step_id, attempt.number)): Parent(
            run.run_key, step_id, attempt.number
        )
        for summary in (store.runs(statuses=[RunStatus.RUNNING]) if marks else ())
        if (run := store.load(summary.run_key)) is not None
        for position, attempt in run.attempts.items()
        if attempt.status.is_open and (step_id := run.steps[position].step_id)
    }
    return next((found[one] for one in reversed(marks) if one in found), None)


class InnerFate(Enum):
    """What becomes of a run that a step started, and that has no runner (rule 5.8a)."""

    GOES_ON = "the attempt that started it is open, or has succeeded and left it behind"
    IS_LEFT = "the attempt is over, and a later one at the step may take the run over"
    ENDS = "the attempt has not succeeded, and no later one can come"


def fates_of(settings: Settings, runs: Sequence[RunSummary], boot: str) -> dict[str, InnerFate]:
    """Tell by run key what becomes of those runs that steps started, and nobody has cancelled.

    `boot` is the id of this boot: an attempt of an earlier boot is over in any case.
    """
    inner = [run for run in runs if run.parent is not None and run.cancel is None]
    if not inner:
        return {}
    settings.home.refuse_exposed()
    with FlowStore.open_readonly(settings.home.database) as store:
        return {
            run.run_key: fate_of_inner(store, run.parent, boot)
            for run in inner
            if run.parent is not None
        }


def fate_of_inner(store: FlowStore, parent: Parent, boot: str) -> InnerFate:
    """Tell what becomes of a run without a runner, as far as its parent is recorded.

    `boot` is the id of this boot: an attempt of an earlier boot is over in any case.
    """
    run = store.load(parent.run_key)
    step = run and next((step for step in run.steps if step.step_id == parent.step_id), None)
    if run is None or step is None:
        return InnerFate.ENDS
    started_by = {(past.position, past.number): past.status for past in run.history}
    if started_by.get((step.position, parent.attempt_no)) is AttemptStatus.SUCCEEDED:
        return InnerFate.GOES_ON
    if run.status.is_terminal or step.status.is_terminal:
        return InnerFate.ENDS
    latest = run.attempts.get(step.position)
    if latest is None or latest.number != parent.attempt_no:
        return InnerFate.IS_LEFT
    is_open = latest.status.is_open and latest.boot_id == boot
    return InnerFate.GOES_ON if is_open else InnerFate.IS_LEFT
