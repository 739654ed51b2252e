"""What other tools call what is here: the tables from which `advice` answers a wrong command line.

They are words of gh, act, docker, systemctl, make, dagu, airflow, kubectl and shells.
"""

from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "cancel KEY": "stop kill abort terminate end halt down interrupt",
    "list": "ps ls runs history top jobs ll dir list-units units overview",
    "retry KEY": "rerun restart redo replay repeat again clear",
    "example": "init new create scaffold quickstart demo template sample",
    "logs -f KEY": "tail follow attach",
    "logs KEY": "log output cat journal print stdout stderr",
    "status KEY": "describe show inspect info get state view stat details",
    "status --exit-status KEY": "is-active is-failed is-running",
    "explain KEY": "why reason blame",
    "validate FLOW_FILE": "check lint verify test parse config compile",
    "prune --older-than 30d": "clean rm gc purge delete remove cleanup vacuum del",
    "resume KEY": "continue unpause recover proceed unlock",
    "retry KEY --file FLOW_FILE": "edit modify patch update",
    "run FLOW_FILE": "exec execute launch trigger submit dispatch apply play begin go up make "
    "push pull_request workflow_dispatch",
    "graph FLOW_FILE": "dag draw plot tree viz diagram",
    "simulate FLOW_FILE": "plan dry dry-run dryrun preview simulation rehearse what-if whatif",
    "doctor": "audit diagnose health fsck ping",
    "completion bash": "completions autocomplete",
    "stats": "statistics durations timings slowest",
    "metrics": "prometheus exporter telemetry",
    "watch KEY": "monitor live",
    "wait KEY": "join await",
    "--help": "help usage man",
    "--version": "version",
}
"""Command lines of ours, and the words with which other tools call the same."""

NO_SCHEDULER = (
    "nothing here waits for a time: let cron or a systemd timer call `orchesjob-flow run FLOW_FILE`"
)
NO_SERVER = (
    "no server is needed: `orchesjob-flow run FLOW_FILE` runs a flow, `orchesjob-flow list` shows "
    "the runs"
)
NO_COMMANDS: Mapping[str, str] = {
    NO_SCHEDULER: "enable disable schedule unschedule scheduler cron crontab timer at daily",
    NO_SERVER: "server serve webserver standalone daemon start-all dashboard ui web worker agent",
    "a run cannot be paused: `orchesjob-flow cancel KEY` ends it, `orchesjob-flow retry KEY` runs "
    "the rest": "pause suspend hold freeze",
    "give each day a run of its own: `orchesjob-flow start KEY-OF-THE-DAY FLOW_FILE`": "backfill",
}
"""What is not here, and the words with which other tools call it."""

NOUNS = frozenset(
    {
        *("workflow", "workflows", "job", "jobs", "run", "runs", "dag", "dags", "task", "tasks"),
        *("container", "containers", "compose", "flow", "flows", "unit", "units", "service"),
        *("services", "step", "steps", "pipeline", "pipelines"),
    }
)
"""What some tools want beside a command; here each command is one word."""

OPTIONS: Mapping[str, str] = {
    "-k": "--key --name --run --id --run-id --run_key --runkey",
    "--format": "--json --output -o --table --pretty --text -F",
    "--detach": "--detached --background --daemon --bg -b --async --no-wait",
    "--tail": "-n --lines --last",
    "--limit": "-n --lines --last --max -l -a --all",
    "--interval": "-n -i --every --refresh",
    "--param": "-p --var --set --arg --input --parameter --params -P -D",
    "--env": "-e --environment --setenv -E",
    "--progress": "-q --quiet --silent -v --verbose --debug --no-progress",
    "--status": "--failed --running --state --filter",
    "--flow-id": "--flow --workflow --dag --dag-id --name",
    "--older-than": "--before --until --age --days",
    "--grace-seconds": "--grace --grace-period --time -t",
    "--now": "--force -f --hard --immediately -9 --kill --signal -s",
    "--step": "-s --steps --task --job --only-step --from --from-step",
    "--follow": "-F",
}
"""Options of ours, and how other tools spell them; an option counts where the command has it."""

WHOLE_FLOW = "a run has all steps of its flow; `orchesjob-flow retry KEY --step ID` repeats some"
REHEARSAL = "orchesjob-flow simulate FLOW_FILE: it shows what would run"
WIDTH = "max_parallel: N in the flow file"
ALL_RUNS = "one run at a time: `orchesjob-flow list --status running` shows which there are"
NO_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "": {
        "orchesjob-flow list": "--list -l",
        "orchesjob-flow run FLOW_FILE": "-f --file --flow -W --workflows",
        "orchesjob-flow --version": "-V",
        WIDTH: "-j --jobs --parallel",
        REHEARSAL: "-n --dry-run --just-print",
        "`orchesjob-flow logs KEY` shows what steps print, `orchesjob-flow explain KEY` why they "
        "wait": "-v --verbose --debug",
    },
    "start run": {
        REHEARSAL: "-n --dry-run --just-print",
        WHOLE_FLOW: "--step --steps --job --task --only --target -t --tags",
        WIDTH: "-j --max-parallel --parallel --concurrency --workers",
        "timeout_sec: SECONDS in the flow file": "--timeout --time-limit",
        "retries: N at a step of the flow file": "--retry --retries",
        "working_dir: PATH in the flow file": "-C --chdir --cwd --workdir --working-directory",
        "env_file: PATH in the flow file": "--env-file",
        "it waits for the end, and shows the run, unless --detach is given": "--wait --watch -w "
        "--follow",
        NO_SCHEDULER: "--schedule --cron --at --every",
    },
    "start": {
        "nothing runs twice under a key: `orchesjob-flow retry KEY` repeats steps, another KEY "
        "begins anew": "--force --rerun --overwrite --restart --again",
        "orchesjob-flow start KEY FLOW_FILE": "-f --file --flow",
    },
    "run": {"orchesjob-flow run FLOW_FILE": "-f --file --flow --force -W --workflows"},
    "status": {
        "orchesjob-flow list": "--all -a -A",
        "orchesjob-flow watch KEY": "--watch -w --follow -f",
        "orchesjob-flow explain KEY": "--verbose -v --why",
    },
    "logs": {
        "orchesjob-flow logs KEY STEP": "--step --steps --task --job -c --container -u --unit -s",
        "orchesjob-flow logs KEY --tail N: when a line was printed is not kept": "--since --until "
        "-t --timestamps",
        "orchesjob-flow logs KEY: it shows all steps": "--all -a",
    },
    "cancel": {ALL_RUNS: "--all -a", "cancel ends the whole run": "--step --task --job"},
    "retry": {
        "orchesjob-flow retry KEY: it repeats what failed": "--failed --failed-only --force -f",
        "another run key runs all steps: `orchesjob-flow start KEY FLOW_FILE`": "--all -a",
    },
    "prune": {
        "orchesjob-flow prune --older-than 0s removes all that have ended; --dry-run shows them "
        "first": "--all -a --force -f -y --yes",
        "it asks nothing, and --dry-run shows first what it would remove": "-i --interactive",
    },
}
"""What to write for options that a command lacks, by the commands; the first ones have none."""
