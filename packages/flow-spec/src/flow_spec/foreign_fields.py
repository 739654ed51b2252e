"""What other systems call the fields of a flow, and what to write here instead.

The words are those of GitHub Actions, GitLab CI, dagu, make, systemd, Argo, Ansible and Compose. A
word is compared without its case, hyphens and underscores. Which fields there are is declared in
`step` and `flow`; how a key is spelled almost right is known by `spelling`.
"""

from collections.abc import Collection
from functools import cache
from typing import NamedTuple


class Foreign(NamedTuple):
    """What some words mean here: one of our fields, if any, and how it is written."""

    words: str
    field: str | None
    advice: str


_FOREIGN = (
    Foreign(
        "run cmd exec execute execstart entrypoint program recipe task action sh bash shellcommand "
        "call executable argv process",
        "command",
        "write command: [PROGRAM, ARGUMENT], or script: for text that a shell runs",
    ),
    Foreign(
        "args arguments", "command", "write program and arguments in one list: command: [tar, -x]"
    ),
    Foreign("code inlinescript scripts", "script", 'write "script"'),
    Foreign(
        "needs need depends dependson depend deps dependencies dependency after requires require "
        "requisite upstream wants prerequisites prereqs bindsto partof waitfor runafter parents",
        "depends_on",
        "write depends_on: [ID], for steps that must have succeeded, or a condition in when:",
    ),
    Foreign(
        "if condition conditions cond precondition preconditions only rules unless runif "
        "triggerrule conditionpathexists assertpathexists",
        "when",
        'write "when" for a condition over other steps, such as when: build.failed, or only_if: '
        "for a command that decides",
    ),
    Foreign("skipif notif creates", "only_if", "write only_if: with a command that decides"),
    Foreign(
        "name stepname taskid stepid key", "id", 'write "id"; text for people is "description"'
    ),
    Foreign(
        "name dagid dag flow flowname workflow workflowname workflowid pipelineid id title project "
        "metadata",
        "flow_id",
        'write "flow_id"',
    ),
    Foreign(
        "params parameters arguments args inputs input arg with",
        "params",
        "write params: {NAME: DEFAULT}",
    ),
    Foreign(
        "desc label title comment comments note notes summary help doc docs displayname",
        "description",
        'write "description"',
    ),
    Foreign(
        "cwd dir directory workdir workingdirectory chdir path basedir folder rootdirectory",
        "working_dir",
        'write "working_dir"',
    ),
    Foreign(
        "timeout timeoutminutes timeoutseconds timelimit timeoutstartsec runtimemaxsec maxtime "
        "maxduration deadline activedeadlineseconds executiontimeout timeoutsecs maxruntime "
        "timeoutstopsec jobtimeout",
        "timeout_sec",
        "write timeout_sec: in seconds, or with a unit, such as timeout_sec: 10m",
    ),
    Foreign(
        "environment environments envs envvars vars variables export environ passenvironment",
        "env",
        "write env: {NAME: VALUE}",
    ),
    Foreign(
        "envfile envfiles environmentfile dotenv secrets secret secretsfile",
        "env_file",
        "write env_file: FILE, a file of NAME=VALUE lines",
    ),
    Foreign(
        "retry retrypolicy retrystrategy maxretries maxretry attempts maxattempts tries retrycount "
        "numretries restart restartpolicy retriescount startlimitburst",
        "retries",
        "write retries: 3, and retry_delay_sec: 60 for the time between them",
    ),
    Foreign(
        "retryinterval retrydelay delay restartsec intervalsec interval retrydelayseconds "
        "retrywait wait",
        "retry_delay_sec",
        "write retry_delay_sec: in seconds, or with a unit",
    ),
    Foreign(
        "backoff retryexponentialbackoff exponentialbackoff",
        "retry_backoff",
        "write retry_backoff: 2",
    ),
    Foreign("maxretrydelay maxbackoff", "retry_max_delay_sec", 'write "retry_max_delay_sec"'),
    Foreign(
        "continueon continueonerror continueonfailure ignoreerrors ignoreerror ignorefailure "
        "failfast optional softfail canfail",
        "allow_failure",
        "write allow_failure: true, if the run may succeed though this step fails",
    ),
    Foreign(
        "successexitstatus successcodes exitcodes okcodes",
        "success_exit_codes",
        "write success_exit_codes: [0, 3]",
    ),
    Foreign("skipcodes skipexitcode", "skip_exit_codes", "write skip_exit_codes: [4]"),
    Foreign(
        "retryon restartforceexitstatus retrycodes",
        "retry_exit_codes",
        "write retry_exit_codes: [75]",
    ),
    Foreign("starttimeout timeoutstart", "start_timeout_sec", 'write "start_timeout_sec"'),
    Foreign(
        "maxparallel parallelism maxactivesteps maxactivetasks concurrencylimit jobslimit "
        "maxworkers workers threads maxconcurrency poolsize",
        "max_parallel",
        "write max_parallel: 4",
    ),
    Foreign(
        "maxactiveruns mutex lock singleton concurrencygroup synchronization",
        "concurrency",
        "write concurrency: {on_conflict: wait}",
    ),
    Foreign(
        "jobs tasks stages stage pipeline targets target nodes job step templates rules units "
        "services play hosts",
        "steps",
        "write steps: as a list, each with an id: and a command:",
    ),
    Foreign(
        "onfailure onsuccess onexit onerror notify handleron handlers mailon mailonfailure post "
        "always cleanup afterscript teardown hooks callbacks execstoppost rescue alert alerts "
        "onabort errormail finallysteps exit",
        "finally",
        "write finally: [...], steps that run however the others have ended; one with "
        "when: any(failed) runs after a failure",
    ),
    Foreign("choices choice options values allowed oneof", "enum", "write enum: [A, B]"),
    Foreign("regex regexp match validate format", "pattern", 'write "pattern"'),
    Foreign("value defaultvalue", "default", 'write "default"'),
    Foreign(
        "cancelinprogress queue strategy policy",
        "on_conflict",
        "write on_conflict: wait, skip or fail",
    ),
    Foreign(
        "required", "enum", "leave it out: a parameter without a default must be given by every run"
    ),
    Foreign(
        "default jobdefaults stepdefaults defaultargs common base",
        "defaults",
        "write defaults: {retries: 2}, fields that all steps have",
    ),
    Foreign(
        "strategy matrix parallel loop withitems withsequence for each items item repeat withparam "
        "repeatpolicy",
        None,
        "steps are repeated by an item of steps: such as {foreach: {NAME: [a, b]}, steps: [...]}",
    ),
    Foreign(
        "schedule on cron crontab trigger triggers oncalendar onbootsec startdate catchup interval "
        "timer every persistent",
        None,
        "a flow has no schedule: cron or a systemd timer calls `orchesjob-flow start`",
    ),
    Foreign(
        "onfailure onsuccess onerror notify mailon always cleanup onexit post rescue handlers "
        "hooks",
        None,
        "write a step of its own with when: ID.failed, or one in finally:",
    ),
    Foreign(
        "output outputs stdout register capture produces artifacts artefacts cache returns xcom",
        None,
        "output is kept by orchesjob (`orchesjob-flow logs`); steps hand values on in files below "
        "${{ RUN_DIR }}",
    ),
    Foreign(
        "runson container image services executor uses agent host hosts docker node nodeselector "
        "resources volumes platform pool queue sshconfig connection become",
        None,
        "a step is a command of this machine; let the command call ssh, docker or podman",
    ),
    Foreign(
        "user group sudo runas uid owner",
        None,
        "steps run as whoever starts the run; begin the command with sudo -u USER",
    ),
    Foreign(
        "nice priority cpuquota memorymax memory cpu limits ioschedulingclass",
        None,
        "begin the command with nice, or with systemd-run and its limits",
    ),
    Foreign(
        "phony default all wildcard include includes import extends",
        None,
        "a flow is one file; YAML anchors and merge keys (<<) repeat parts of it",
    ),
    Foreign(
        "name title label version apiversion kind type spec labels tags description owner "
        "permissions log logdir histretentiondays",
        None,
        "leave it out, write it as a comment, or under a name that begins with x-",
    ),
)


def folded(word: str) -> str:
    """Return a word without its case, hyphens and underscores."""
    return word.casefold().replace("-", "").replace("_", "").replace(" ", "")


@cache
def _meanings() -> dict[str, list[Foreign]]:
    """Return what each word may mean, the likeliest first."""
    meanings: dict[str, list[Foreign]] = {}
    for foreign in _FOREIGN:
        for word in foreign.words.split():
            meanings.setdefault(word, []).append(foreign)
    return meanings


def advice_on_field(word: str, known: Collection[str]) -> str | None:
    """Return what to write instead of a word, where these fields are known; None if none is meant.

    A field that exists elsewhere is no advice: `name` is `id` in a step and `flow_id` in a flow.
    """
    for meant in _meanings().get(folded(word), ()):
        if meant.field is None or meant.field in known:
            return meant.advice
    return None
