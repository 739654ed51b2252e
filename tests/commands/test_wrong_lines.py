"""Wrong command lines, as people type them who know other tools, and what they are told (6.12).

The words are those of gh, docker, systemctl, make, just, task, dagu, Airflow, Ansible, Argo and
kubectl. The texts are whole: a change of one is seen here.
"""

import json
import shlex

import pytest

from support.flow import Flow

NIGHTLY = """\
flow_id: nightly
params:
  DAY: monday
  SHOP: {enum: [berlin, paris], default: berlin}
steps:
  - id: load
    command: [sh, -c, "echo row 17 is broken; exit 3"]
  - id: check
    when: load
    command: [echo, fine]
"""
WEEKLY = "flow_id: weekly\nsteps:\n  - id: copy\n    command: [echo, done]\n"
LINES: list[tuple[str, str, str | None]] = [
    (
        "run list",
        "list: no such file; orchesjob-flow list",
        None,
    ),
    (
        "run view nightly-1",
        "Got unexpected extra argument (nightly-1)",
        "orchesjob-flow status nightly-1",
    ),
    (
        "run view nightly-1 --log",
        "No such option '--log'.",
        "orchesjob-flow status nightly-1",
    ),
    (
        "run watch nightly-1",
        "Got unexpected extra argument (nightly-1)",
        "orchesjob-flow watch nightly-1",
    ),
    (
        "run delete nightly-1",
        "Got unexpected extra argument (nightly-1)",
        "orchesjob-flow prune nightly-1",
    ),
    (
        "workflow run nightly.yaml -f DAY=sunday",
        "No such command 'workflow'.",
        "orchesjob-flow run --param DAY=sunday nightly.yaml",
    ),
    (
        "workflow view nightly",
        "No such command 'workflow'.",
        "orchesjob-flow status nightly-1",
    ),
    (
        "list --json status",
        "No such option '--json'.",
        "orchesjob-flow list --format json",
    ),
    (
        "list --limit=-1",
        "Invalid value for '--limit': '-1' is not a number of runs, from 1 on, or all",
        "orchesjob-flow list --limit=10",
    ),
    (
        "list -s failed",
        "No such option '-s'.",
        "orchesjob-flow list --status failed",
    ),
    (
        "list -w nightly",
        "No such option '-w'.",
        "orchesjob-flow list --flow-id nightly",
    ),
    (
        "list --status completed",
        (
            "Invalid value for '--status': 'completed' is not one of 'pending', 'running', "
            "'succeeded', 'failed', 'cancelled'."
        ),
        "orchesjob-flow list --status SUCCEEDED",
    ),
    (
        "list failed",
        "Got unexpected extra argument (failed)",
        "orchesjob-flow list --status failed",
    ),
    (
        "list --status failed,running",
        (
            "Invalid value for '--status': 'failed,running' is not one of 'pending', "
            "'running', 'succeeded', 'failed', 'cancelled'."
        ),
        "orchesjob-flow list --status failed --status running",
    ),
    (
        "list --since 2d",
        "No such option '--since'.",
        "orchesjob-flow list --limit all  # newest first, each with its time",
    ),
    (
        "run nightly.yaml -F DAY=sunday",
        "No such option '-F'.",
        "orchesjob-flow run nightly.yaml --param DAY=sunday",
    ),
    (
        "logs nightly-1 --failed",
        "No such option '--failed'.",
        (
            "orchesjob-flow report nightly-1 --format markdown  # it has the last lines of "
            "what failed"
        ),
    ),
    (
        "logs --latest",
        "No such option '--latest'.",
        "orchesjob-flow logs -",
    ),
    (
        "docker ps",
        "No such command 'docker'.",
        "orchesjob-flow list",
    ),
    (
        "ps -aq",
        "No such command 'ps'.",
        "orchesjob-flow list",
    ),
    (
        "logs --tail=100x nightly-1",
        "Invalid value for '-n' / '--tail': '100x' is not a number of lines, from 0 on, or all",
        "orchesjob-flow logs --tail=20 nightly-1",
    ),
    (
        "logs -f --since 10m nightly-1",
        "No such option '--since'.",
        (
            "nothing records when a line was printed: `orchesjob-flow report nightly-1` has "
            "the times of attempts, and `make | ts` in a script leads each line with its "
            "time"
        ),
    ),
    (
        "exec -it nightly-1 bash",
        "No such command 'exec'.",
        "a step cannot be entered: `orchesjob-flow logs nightly-1 STEP` shows what it prints",
    ),
    (
        "run --rm -d nightly.yaml",
        "No such option '--rm'.",
        (
            "orchesjob-flow run -d nightly.yaml  # a run stays recorded until "
            "`orchesjob-flow prune` removes it"
        ),
    ),
    (
        "run --name nightly-3 nightly.yaml",
        "No such option '--name'.",
        "orchesjob-flow start --run-key nightly-3 nightly.yaml  # `run` makes a key of its own",
    ),
    (
        "run -e A=1 nightly.yaml",
        "No such option '-e'.",
        "orchesjob-flow run --env A=1 nightly.yaml",
    ),
    (
        "run --env-file .env nightly.yaml",
        "No such option '--env-file'.",
        "env_file: .env in the flow file",
    ),
    (
        "rm -f nightly-1",
        "No such command 'rm'.",
        "orchesjob-flow prune nightly-1",
    ),
    (
        "compose logs -f",
        "No such command 'compose'.",
        "orchesjob-flow logs -f -  # of the newest run; `orchesjob-flow list` shows all keys",
    ),
    (
        "compose down",
        "No such command 'compose'.",
        "orchesjob-flow cancel KEY  # `orchesjob-flow list` shows the keys",
    ),
    (
        "up --build",
        "No such command 'up'.",
        "orchesjob-flow run FLOW_FILE  # such as nightly.yaml, weekly.yaml",
    ),
    (
        "stop nightly-1 open-1",
        "No such command 'stop'.",
        "orchesjob-flow cancel nightly-1; orchesjob-flow cancel open-1",
    ),
    (
        "wait nightly-1 open-1",
        "Got unexpected extra argument (open-1)",
        "orchesjob-flow wait nightly-1; orchesjob-flow wait open-1",
    ),
    (
        "restart nightly",
        "No such command 'restart'.",
        "orchesjob-flow retry nightly-1",
    ),
    (
        "status -n 20 nightly-1",
        "No such option '-n'.",
        "orchesjob-flow logs nightly-1 --tail 20",
    ),
    (
        "status --no-pager nightly-1",
        "No such option '--no-pager'.",
        "orchesjob-flow status nightly-1  # no pager is used",
    ),
    (
        "enable --now nightly",
        "No such command 'enable'.",
        (
            "nothing here waits for a time: let cron or a systemd timer call "
            "`orchesjob-flow run FLOW_FILE`"
        ),
    ),
    (
        "list-timers",
        "No such command 'list-timers'.",
        (
            "nothing here waits for a time: let cron or a systemd timer call "
            "`orchesjob-flow run FLOW_FILE`"
        ),
    ),
    (
        "list-units --failed",
        "No such command 'list-units'.",
        "orchesjob-flow list --status failed",
    ),
    (
        "reset-failed nightly-1",
        "No such command 'reset-failed'.",
        "orchesjob-flow retry nightly-1",
    ),
    (
        "journalctl -u nightly -f",
        "No such command 'journalctl'.",
        "orchesjob-flow logs -f -  # of the newest run; `orchesjob-flow list` shows all keys",
    ),
    (
        "is-active open-1",
        "No such command 'is-active'.",
        "orchesjob-flow status --exit-status open-1",
    ),
    (
        "-n",
        "No such option '-n'.",
        "orchesjob-flow simulate FLOW_FILE  # it shows what would run",
    ),
    (
        "-C flows run nightly.yaml",
        "No such option '-C'.",
        "cd flows && orchesjob-flow run nightly.yaml",
    ),
    (
        "-B",
        "No such option '-B'.",
        "no step is left out as up to date: `orchesjob-flow run FLOW_FILE` runs all of them",
    ),
    (
        "-k",
        "No such option '-k'.",
        "steps that do not need a failed one run anyway: `orchesjob-flow run FLOW_FILE`",
    ),
    (
        "-j 8 run nightly.yaml",
        "No such option '-j'.",
        "max_parallel: 8 in the flow file",
    ),
    (
        "run nightly.yaml -n",
        "No such option '-n'.",
        "orchesjob-flow simulate nightly.yaml  # it shows what would run",
    ),
    (
        "run nightly DAY=sunday",
        "Got unexpected extra argument (DAY=sunday)",
        "orchesjob-flow run nightly.yaml --param DAY=sunday",
    ),
    (
        "nightly",
        "No such command 'nightly'.",
        "orchesjob-flow run nightly.yaml",
    ),
    (
        "--dry-run run nightly.yaml",
        "No such option '--dry-run'.",
        "orchesjob-flow simulate nightly.yaml  # it shows what would run",
    ),
    (
        "--summary",
        "No such option '--summary'.",
        "orchesjob-flow list --limit all",
    ),
    (
        "run --yes nightly.yaml",
        "No such option '--yes'.",
        "orchesjob-flow run nightly.yaml  # nothing is asked",
    ),
    (
        "dry nightly.yaml",
        "No such command 'dry'.",
        "orchesjob-flow simulate nightly.yaml",
    ),
    (
        "start-all",
        "No such command 'start-all'.",
        (
            "no server is needed: `orchesjob-flow run FLOW_FILE` runs a flow, "
            "`orchesjob-flow list` shows the runs"
        ),
    ),
    (
        "enqueue nightly.yaml",
        "No such command 'enqueue'.",
        "orchesjob-flow run nightly.yaml",
    ),
    (
        'dags trigger nightly --conf \'{"DAY":"sunday"}\'',
        "No such command 'dags'.",
        "orchesjob-flow run nightly.yaml",
    ),
    (
        "tasks clear nightly -t load",
        "No such command 'tasks'.",
        "orchesjob-flow retry nightly-1",
    ),
    (
        "run nightly.yaml -e DAY",
        "No such option '-e'.",
        "orchesjob-flow run nightly.yaml --env DAY=VALUE",
    ),
    (
        "run nightly.yaml --extra-vars DAY=sunday",
        "No such option '--extra-vars'.",
        "orchesjob-flow run nightly.yaml --param DAY=sunday",
    ),
    (
        "playbook nightly.yaml --syntax-check",
        "No such command 'playbook'.",
        "orchesjob-flow run nightly.yaml",
    ),
    (
        "run nightly.yaml -vvv",
        "No such option '-v'.",
        "orchesjob-flow run nightly.yaml --progress plain",
    ),
    (
        "submit nightly.yaml -p DAY=sunday",
        "No such command 'submit'.",
        "orchesjob-flow run --param DAY=sunday nightly.yaml",
    ),
    (
        "get wf",
        "No such command 'get'.",
        "orchesjob-flow list",
    ),
    (
        "logs nightly-1 -c load",
        "No such option '-c'.",
        "orchesjob-flow logs nightly-1 load",
    ),
    (
        "resubmit nightly-1",
        "No such command 'resubmit'.",
        "orchesjob-flow retry nightly-1",
    ),
    (
        "retry nightly-1 --restart-successful",
        "No such option '--restart-successful'.",
        (
            "orchesjob-flow retry --help  # its options are --run-key, --step, --only, "
            "--file, --param, --env, --detach, --follow, --progress, --format"
        ),
    ),
    (
        "stop open-1 --message 'too late'",
        "No such command 'stop'.",
        "orchesjob-flow cancel open-1",
    ),
    (
        "lint nightly.yaml --strict",
        "No such command 'lint'.",
        "orchesjob-flow validate --strict nightly.yaml",
    ),
    (
        "get pods",
        "No such command 'get'.",
        "orchesjob-flow list",
    ),
    (
        "describe pod nightly-1",
        "No such command 'describe'.",
        "orchesjob-flow status nightly-1",
    ),
    (
        "logs -p nightly-1 load",
        "No such option '-p'.",
        (
            "orchesjob-flow logs nightly-1 --attempt all  # each line begins with the "
            "number of its attempt"
        ),
    ),
    (
        "delete run nightly-1",
        "No such command 'delete'.",
        "orchesjob-flow prune nightly-1",
    ),
    (
        "apply -f nightly.yaml",
        "No such command 'apply'.",
        "orchesjob-flow run nightly.yaml",
    ),
    (
        "explain nightly-1 --step load",
        "No such option '--step'.",
        "orchesjob-flow explain nightly-1 load",
    ),
    (
        "rollout status nightly-1",
        "No such command 'rollout'.",
        "orchesjob-flow status nightly-1",
    ),
    (
        "cancel nightly",
        "no run 'nightly' in {db}",
        "orchesjob-flow cancel nightly-1",
    ),
    (
        "cancel open-1 --grace-period=0",
        "No such option '--grace-period'.",
        "orchesjob-flow cancel open-1 --grace-seconds 0",
    ),
    (
        "settle nightly-1 laod --as skipped --reason x",
        'flow "nightly" has no step "laod"; did you mean "load"?',
        "orchesjob-flow settle nightly-1 load --as skipped --reason x",
    ),
    (
        "settle nightly-1 --as skipped --reason x",
        "Missing argument 'STEP'.",
        "orchesjob-flow settle nightly-1 --as skipped --reason x load",
    ),
    (
        "settle nightly-1 load --as ok --reason checked",
        "Invalid value for '--as': 'ok' is not one of 'succeeded', 'skipped'.",
        "orchesjob-flow settle nightly-1 load --as succeeded --reason checked",
    ),
    (
        "settle nightly-1 load --as=skipped --reason=",
        "Invalid value for '--reason': is empty; say in a few words why",
        "orchesjob-flow settle nightly-1 load --as=skipped '--reason=why it was decided'",
    ),
    (
        "explain nightly-1 laod",
        'flow "nightly" has no step "laod"; did you mean "load"?',
        "orchesjob-flow explain nightly-1 load",
    ),
    (
        "retry nightly-1 --step laod",
        'flow "nightly" has no step "laod"; did you mean "load"?',
        "orchesjob-flow retry nightly-1 --step load",
    ),
    (
        "retry open-1",
        (
            "run 'open-1' is RUNNING and has not ended; `orchesjob-flow resume open-1` "
            "continues it, `orchesjob-flow cancel open-1` ends it"
        ),
        None,
    ),
    (
        "retry weekly-1",
        "run 'weekly-1' has SUCCEEDED; name the steps to run again with --step",
        "orchesjob-flow retry weekly-1 --step STEP",
    ),
    (
        "report nightly-1 --format pdf",
        "Invalid value for '--format': 'pdf' is not one of 'html', 'junit', 'markdown', 'trace'.",
        "orchesjob-flow report nightly-1 --format html",
    ),
    (
        "report nightly-1 --output",
        "Option '--output' requires an argument.",
        "orchesjob-flow report nightly-1 --output FILE",
    ),
    (
        "report nightly-1 weekly-1",
        "Got unexpected extra argument (weekly-1)",
        "orchesjob-flow report nightly-1; orchesjob-flow report weekly-1",
    ),
    (
        "graph nightly.yaml --format svg",
        "Invalid value for '--format': 'svg' is not one of 'text', 'mermaid', 'dot'.",
        "orchesjob-flow graph nightly.yaml --format dot",
    ),
    (
        "graph nightly.yaml -k nightly-1",
        "the flow file nightly.yaml and run 'nightly-1' are both given",
        "leave out one of them: orchesjob-flow graph nightly.yaml",
    ),
    (
        "simulate nightly.yaml --fail laod",
        'flow "nightly" has no step "laod"; did you mean "load"?',
        "orchesjob-flow simulate nightly.yaml --fail load",
    ),
    (
        "simulate nightly.yaml DAY=sunday",
        "Got unexpected extra argument (DAY=sunday)",
        "orchesjob-flow simulate nightly.yaml --param DAY=sunday",
    ),
    (
        "validate --strict",
        "Missing argument 'FLOW_FILE...'.",
        "orchesjob-flow validate --strict FLOW_FILE  # such as nightly.yaml, weekly.yaml",
    ),
    (
        "test",
        "Missing argument 'FILE...'.",
        "orchesjob-flow test nightly.test.yaml  # NAME.test.yaml tests NAME.yaml beside it",
    ),
    (
        "example flow.yaml",
        "Got unexpected extra argument (flow.yaml)",
        "orchesjob-flow example > flow.yaml",
    ),
    (
        "schema flow.json",
        "Got unexpected extra argument (flow.json)",
        "orchesjob-flow schema > flow.json",
    ),
    (
        "completion",
        "Missing argument '{bash|zsh|fish}'. Choose from: bash, zsh, fish",
        "orchesjob-flow completion bash",
    ),
    (
        "completion powershell",
        "Invalid value for '{bash|zsh|fish}': 'powershell' is not one of 'bash', 'zsh', 'fish'.",
        "orchesjob-flow completion bash",
    ),
    (
        "prune --older-than 30",
        (
            "Invalid value for '--older-than': \"30\" is not a duration such as 90s, 15m or "
            "1h30m; write a number and w, d, h, m or s, as in 30d"
        ),
        "orchesjob-flow prune --older-than 30d",
    ),
    (
        "prune --older-than '30 days'",
        (
            "Invalid value for '--older-than': \"30 days\" is not a duration such as 90s, 15m "
            "or 1h30m; write a number and w, d, h, m or s, as in 30d"
        ),
        "orchesjob-flow prune --older-than 30d",
    ),
    (
        "prune --keep 5",
        "which runs to remove is missing: name them, or say how long ago they ended",
        (
            "`orchesjob-flow prune KEY` removes a run, `orchesjob-flow prune --older-than "
            "30d --dry-run` shows which runs are older than 30 days, and removes them "
            "without --dry-run"
        ),
    ),
    (
        "prune nightly-1 --keep 5",
        "run 'nightly-1' and --keep are both given",
        (
            "leave out one of them: `orchesjob-flow prune nightly-1` removes what is named, "
            "`orchesjob-flow prune --older-than 30d --dry-run` shows what is old"
        ),
    ),
    (
        "prune --all",
        "No such option '--all'.",
        (
            "orchesjob-flow prune --older-than 0s --dry-run  # all that have ended; without "
            "--dry-run it removes them"
        ),
    ),
    (
        "wait open-1 --timeout 5min",
        (
            "Invalid value for '--timeout': \"5min\" is not a duration such as 90s, 15m or "
            "1h30m, or a number of seconds"
        ),
        "orchesjob-flow wait open-1 --timeout 5m",
    ),
    (
        "watch --interval 0 open-1",
        "Invalid value for '--interval': \"0\" must be more than 0",
        "orchesjob-flow watch --interval 2s open-1",
    ),
    (
        "watch open-1 --mode full",
        "Invalid value for '--mode': 'full' is not one of 'screen', 'append'.",
        "orchesjob-flow watch open-1 --mode screen",
    ),
    (
        "start nightly-1 weekly.yaml",
        (
            "run 'nightly-1' was started with another definition: params.DAY was \"monday\" "
            'and is now not set; params.SHOP was "berlin" and is now not set; flow_id was '
            '"nightly" and is now "weekly"; step "load" was removed; step "check" was '
            'removed; step "copy" was added; use a new run key, or the flow file as it was; '
            "`orchesjob-flow run FLOW_FILE` makes a key"
        ),
        None,
    ),
    (
        "start nightly-9 nightly.yaml --param DAY",
        "Invalid value for '--param': 'DAY' is not of the form NAME=VALUE",
        "orchesjob-flow start nightly-9 nightly.yaml --param DAY=VALUE",
    ),
    (
        "start nightly-9 nightly.yaml --param SHOP=rome",
        'nightly.yaml: params.SHOP: must be one of "berlin", "paris", got "rome"',
        None,
    ),
    (
        "start nightly-9 nightly.yaml --param shop=paris",
        'nightly.yaml: the flow has no parameter "shop"; did you mean "SHOP"?',
        None,
    ),
    (
        "start nightly-9 nightly.yml",
        "nightly.yml: no such file; orchesjob-flow start nightly-9 nightly.yaml",
        None,
    ),
    (
        "start nightly-9 nightly.yaml --jobs 4",
        "Invalid value for '--jobs': '4' is not one of 'shared', 'own'.",
        "max_parallel: 4 in the flow file",
    ),
    (
        "start nightly-9 nightly.yaml --report out.html",
        (
            "Invalid value for '--report': 'out.html' is not FORMAT=FILE with one of html, "
            "junit, markdown, trace"
        ),
        "orchesjob-flow start nightly-9 nightly.yaml --report html=out.html",
    ),
    (
        "start nightly-9 nightly.yaml -d --report html=out.html",
        "--detach and --report are both given, and a background process writes no report",
        "leave out one of them; `orchesjob-flow report KEY` writes one when the run has ended",
    ),
    (
        "start nightly-9 nightly.yaml --env PATH",
        "Invalid value for '--env': 'PATH' is not of the form NAME=VALUE",
        "orchesjob-flow start nightly-9 nightly.yaml --env PATH=VALUE",
    ),
    (
        "status nightly-1 --format=xml",
        "Invalid value for '--format': 'xml' is not one of 'auto', 'json', 'table', 'text'.",
        "orchesjob-flow status nightly-1 --format=json",
    ),
    (
        "status --db oj/orchesjob-flow.sqlite3 nightly-1",
        "No such option '--db'.",
        (
            "orchesjob-flow --db oj/orchesjob-flow.sqlite3 status nightly-1  # --db stands "
            "before the command"
        ),
    ),
    (
        "status nightly-1 --fromat json",
        "No such option '--fromat'.",
        "orchesjob-flow status nightly-1 --format json",
    ),
    (
        "status nightly_1",
        "no run 'nightly_1' in {db}",
        "orchesjob-flow status nightly-1",
    ),
    (
        "status 'nightly-1:load:1'",
        "no run 'nightly-1:load:1' in {db}",
        "orchesjob-flow status nightly-1",
    ),
    (
        "status nightly.yaml",
        "no run 'nightly.yaml' in {db}",
        "this is a file, not a run key: `orchesjob-flow list` shows the run keys",
    ),
    (
        "--db nope.sqlite3 list",
        (
            "{folder}/nope.sqlite3 does not exist, so no run is recorded there: check --db, "
            "which names it (`start` creates it)"
        ),
        None,
    ),
    (
        "doctor --fix",
        "No such option '--fix'.",
        "doctor changes nothing: each problem that `orchesjob-flow doctor` prints says what to do",
    ),
    (
        "doctor nightly-1 --all",
        "run 'nightly-1' and --all are both given",
        "leave out one of them: `orchesjob-flow doctor nightly-1` audits this run",
    ),
    (
        "resume open-1 --all",
        "run 'open-1' and --all are both given",
        "leave out one of them: `orchesjob-flow resume open-1` resumes this run",
    ),
    (
        "run nightly.yaml -d --progress plain",
        "--detach and --progress plain are both given, and a background process shows nothing",
        "leave out one of them; `orchesjob-flow watch KEY` shows the progress of a run",
    ),
    (
        "run nightly.yaml --timeout 10m",
        "No such option '--timeout'.",
        "timeout_sec: 10m in the flow file",
    ),
    (
        "run nightly.yaml --retries 3",
        "No such option '--retries'.",
        "retries: 3 at a step of the flow file",
    ),
    (
        "logs copy",
        (
            "no run 'copy' in {db}: check the run key, and that --db, ORCHESJOB_FLOW_HOME "
            "and ORCHESJOB_HOME are those with which it was started"
        ),
        "orchesjob-flow logs - copy",
    ),
    (
        "status nightly-1 load",
        "Got unexpected extra argument (load)",
        "orchesjob-flow explain nightly-1 load",
    ),
    (
        "status",
        "Missing argument 'KEY'.",
        "orchesjob-flow status open-1  # or weekly-1, nightly-1; `orchesjob-flow list` shows all",
    ),
    (
        "cancel",
        "Missing argument 'KEY'.",
        "orchesjob-flow cancel open-1  # `orchesjob-flow list` shows all",
    ),
    (
        "resume",
        "Missing argument 'KEY' or '--all'.",
        "orchesjob-flow resume open-1  # `orchesjob-flow list` shows all",
    ),
    (
        "retry",
        "Missing argument 'KEY'.",
        "orchesjob-flow retry nightly-1  # `orchesjob-flow list` shows all",
    ),
    (
        "run",
        "Missing argument 'FLOW_FILE'.",
        "orchesjob-flow run FLOW_FILE  # such as nightly.yaml, weekly.yaml",
    ),
    (
        "graph",
        "Missing argument 'FLOW_FILE' (or '-k KEY' for a run).",
        "orchesjob-flow graph FLOW_FILE  # such as nightly.yaml, weekly.yaml",
    ),
    (
        "graph nightly-1",
        "nightly-1: no such file; orchesjob-flow graph -k nightly-1",
        None,
    ),
    (
        "simulate nightly-1",
        (
            "nightly-1: no such file; orchesjob-flow explain nightly-1  # nightly-1 is a "
            "run, not a flow file"
        ),
        None,
    ),
    (
        "run nightly.yaml --param COUNTRY=de",
        'nightly.yaml: the flow has no parameter "COUNTRY"; its parameters are DAY, SHOP',
        None,
    ),
    (
        "run weekly.yaml --param DAY=1",
        (
            'weekly.yaml: the flow has no parameter "DAY"; it has none; a flow declares '
            "them in its key params"
        ),
        None,
    ),
    (
        "settle nightly-1 load --as failed",
        "Invalid value for '--as': 'failed' is not one of 'succeeded', 'skipped'.",
        (
            "orchesjob-flow settle nightly-1 load --as skipped --reason 'why it was "
            "decided'  # a step that FAILED is that without `settle`"
        ),
    ),
    (
        "settle nightly-1 load",
        "Missing option '--as'. Choose from: succeeded, skipped",
        "orchesjob-flow settle nightly-1 load --as skipped --reason 'why it was decided'",
    ),
    (
        "settle weekly-1 copy --as skipped --reason x",
        (
            "step 'copy' of run 'weekly-1' is SUCCEEDED: only a step that FAILED or was "
            "CANCELLED can be settled"
        ),
        "orchesjob-flow retry weekly-1 --step copy  # runs it again",
    ),
    (
        "report nightly-1 --open",
        "No such option '--open'.",
        "orchesjob-flow report nightly-1 -o report.html  # a browser opens the file",
    ),
    (
        "graph --open nightly.yaml",
        "No such option '--open'.",
        (
            "orchesjob-flow graph nightly.yaml --format dot | dot -Tsvg > graph.svg  # "
            "Graphviz draws it, a browser opens the file"
        ),
    ),
    (
        "stats nightly",
        "Got unexpected extra argument (nightly)",
        "orchesjob-flow stats --flow-id nightly",
    ),
    (
        "man",
        "No such command 'man'.",
        "orchesjob-flow --help  # `man orchesjob-flow` shows the manual page",
    ),
    (
        "validate --fix nightly.yaml",
        "No such option '--fix'.",
        (
            "nothing rewrites flow files: `orchesjob-flow validate nightly.yaml` says what "
            "to write, and where"
        ),
    ),
    (
        "prune",
        "which runs to remove is missing: name them, or say how long ago they ended",
        (
            "`orchesjob-flow prune KEY` removes a run, `orchesjob-flow prune --older-than "
            "30d --dry-run` shows which runs are older than 30 days, and removes them "
            "without --dry-run"
        ),
    ),
    (
        "prune open-1",
        (
            "run 'open-1' is RUNNING and has not ended; `orchesjob-flow resume open-1` "
            "continues it, `orchesjob-flow cancel open-1` ends it"
        ),
        None,
    ),
    (
        "schema --yaml",
        "No such option '--yaml'.",
        "orchesjob-flow schema > flow.schema.json  # editors use a JSON Schema for YAML files too",
    ),
    (
        "wait open-1 --timeout 10min",
        (
            "Invalid value for '--timeout': \"10min\" is not a duration such as 90s, 15m or "
            "1h30m, or a number of seconds"
        ),
        "orchesjob-flow wait open-1 --timeout 10m",
    ),
    (
        "logs nightly-1:load:1",
        "no run 'nightly-1:load:1' in {db}",
        "orchesjob-flow logs nightly-1 load --attempt 1",
    ),
    (
        "explain nightly-1:load",
        "no run 'nightly-1:load' in {db}",
        "orchesjob-flow explain nightly-1 load",
    ),
    (
        "retry nightly-1:load",
        "no run 'nightly-1:load' in {db}",
        "orchesjob-flow retry nightly-1 --step load",
    ),
    (
        "ps -a",
        "No such command 'ps'.",
        "orchesjob-flow list --limit all",
    ),
    (
        "retry nightly-1 --only",
        "--only is given without --step, whose steps it runs alone",
        "orchesjob-flow retry nightly-1 --step STEP --only",
    ),
    (
        "start weekly.yaml",
        "Missing argument 'FLOW_FILE'.",
        (
            "orchesjob-flow run weekly.yaml  # makes a key; with your own: orchesjob-flow "
            "start KEY weekly.yaml"
        ),
    ),
    (
        "--db nightly.yaml list",
        (
            "{folder}/nightly.yaml is not a flow database: it is not an SQLite file; check "
            "--db and ORCHESJOB_FLOW_HOME first, and move the file away only if it was the "
            "flow database"
        ),
        None,
    ),
    (
        "-f logs nightly-1",
        "No such option '-f'.",
        "orchesjob-flow logs -f nightly-1  # -f stands after the command",
    ),
    (
        "--format json status nightly-1",
        "No such option '--format'.",
        "orchesjob-flow status --format json nightly-1  # --format stands after the command",
    ),
    (
        "nightly-1",
        "No such command 'nightly-1'.",
        "orchesjob-flow status nightly-1",
    ),
]
"""What is typed, the error, and its help; `{db}` and `{folder}` are paths of the test."""


@pytest.fixture(scope="module")
def some(shared_flow: Flow) -> Flow:
    """Two flow files, a run that FAILED, one that SUCCEEDED, and one that has no runner."""
    (shared_flow.folder / "nightly.yaml").write_text(NIGHTLY)
    (shared_flow.folder / "weekly.yaml").write_text(WEEKLY)
    (shared_flow.folder / "flow.json").unlink(missing_ok=True)
    shared_flow.start("nightly-1", "nightly.yaml", code=1)
    shared_flow.start("weekly-1", "weekly.yaml")
    shared_flow.start("open-1", "weekly.yaml")
    running = "UPDATE runs SET status = 'RUNNING', finished_at = NULL WHERE run_key = 'open-1'"
    shared_flow.change(running)
    return shared_flow


@pytest.mark.parametrize(("line", "error", "advice"), LINES, ids=[line for line, *_ in LINES])
def test_wrong_lines(some: Flow, line: str, error: str, advice: str | None) -> None:
    """What is wrong, and the line that was meant: nothing is started, and nothing changed."""
    before = some.database.read_bytes()
    refused = some.refusal(*shlex.split(line))
    places = {"{db}": str(some.database), "{folder}": str(some.folder)}
    for name, path in places.items():
        error = error.replace(name, path)
    assert (refused["error"], refused.get("help")) == (error, advice), json.dumps(refused)
    assert some.database.read_bytes() == before


def test_a_hundred_lines() -> None:
    """No line is there twice, and there are more than a hundred."""
    assert len({line for line, *_ in LINES}) == len(LINES) > 100
