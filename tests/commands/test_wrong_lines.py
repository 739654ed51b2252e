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
        "'view' is not a flow file; \"run\" only runs flows",
        "orchesjob-flow status nightly-1",
    ),
    (
        "run view nightly-1 --log",
        "'view' is not a flow file; \"run\" only runs flows",
        "orchesjob-flow logs nightly-1",
    ),
    (
        "run watch nightly-1",
        "'watch' is not a flow file; \"run\" only runs flows",
        "orchesjob-flow watch nightly-1",
    ),
    (
        "run delete nightly-1",
        "'delete' is not a flow file; \"run\" only runs flows",
        "orchesjob-flow prune nightly-1",
    ),
    (
        "workflow run nightly.yaml -f DAY=sunday",
        "No such command 'workflow'.",
        "orchesjob-flow run nightly.yaml --param DAY=sunday",
    ),
    (
        "workflow view nightly",
        "No such command 'workflow'.",
        (
            "orchesjob-flow list --flow-id nightly  # its runs; its steps: orchesjob-flow "
            "graph nightly.yaml"
        ),
    ),
    (
        "list --json status",
        "No such option '--json'.",
        "orchesjob-flow list --format json",
    ),
    (
        "list --limit=-1",
        "Invalid value for '--limit': '-1' is not a number of runs, from 1 on, or all",
        "orchesjob-flow list --limit=all",
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
        "orchesjob-flow logs nightly-1 load  # the step that failed",
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
        "orchesjob-flow list --limit all --format json",
    ),
    (
        "logs --tail=100x nightly-1",
        "Invalid value for '-n' / '--tail': '100x' is not a number of lines, from 0 on, or all",
        "orchesjob-flow logs --tail=100 nightly-1",
    ),
    (
        "logs -f --since 10m nightly-1",
        "No such option '--since'.",
        (
            "orchesjob-flow logs -f nightly-1 --tail 20  # lines carry no times, so there "
            "is no --since"
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
        'orchesjob-flow start nightly-3 nightly.yaml  # "run" chooses the key itself',
    ),
    (
        "run -e A=1 nightly.yaml",
        "No such option '-e'.",
        "orchesjob-flow run --env A=1 nightly.yaml",
    ),
    (
        "run --env-file .env nightly.yaml",
        "No such option '--env-file'.",
        'set "env_file: .env" at the top level of nightly.yaml',
    ),
    (
        "rm -f nightly-1",
        "No such command 'rm'.",
        "orchesjob-flow prune nightly-1  # nothing is asked",
    ),
    (
        "compose logs -f",
        "No such command 'compose'.",
        "orchesjob-flow logs -f -  # of the newest run; `orchesjob-flow list` shows all keys",
    ),
    (
        "compose down",
        "No such command 'compose'.",
        "orchesjob-flow cancel open-1  # `orchesjob-flow list` shows all",
    ),
    (
        "up --build",
        "No such command 'up'.",
        "orchesjob-flow run FLOW_FILE  # such as nightly.yaml, weekly.yaml; there is no --build",
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
        (
            "orchesjob-flow run nightly.yaml  # from the start; only what failed: "
            "orchesjob-flow retry nightly-1"
        ),
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
            "there is no scheduler: let cron or a systemd timer call `orchesjob-flow run "
            "nightly.yaml`"
        ),
    ),
    (
        "list-timers",
        "No such command 'list-timers'.",
        "there is no scheduler; `crontab -l` or `systemctl list-timers` shows what starts flows",
    ),
    (
        "list-units --failed",
        "No such command 'list-units'.",
        "orchesjob-flow list --status failed",
    ),
    (
        "reset-failed nightly-1",
        "No such command 'reset-failed'.",
        (
            "orchesjob-flow settle nightly-1 load --as skipped --reason '...'  # accepts "
            "the failure; to run it again: orchesjob-flow retry nightly-1"
        ),
    ),
    (
        "journalctl -u nightly -f",
        "No such command 'journalctl'.",
        "orchesjob-flow logs -f nightly-1",
    ),
    (
        "is-active open-1",
        "No such command 'is-active'.",
        "orchesjob-flow status --exit-status open-1",
    ),
    (
        "-n",
        "No such option '-n'.",
        "orchesjob-flow simulate nightly.yaml  # or weekly.yaml; it shows what would run",
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
        "not needed: steps that do not depend on a failed step always run",
    ),
    (
        "-j 8 run nightly.yaml",
        "No such option '-j'.",
        'set "max_parallel: 8" at the top level of nightly.yaml',
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
        "orchesjob-flow graph nightly.yaml  # or weekly.yaml; shows the steps of a flow",
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
        "orchesjob-flow run -d nightly.yaml  # starts now, in the background; there is no queue",
    ),
    (
        'dags trigger nightly --conf \'{"DAY":"sunday"}\'',
        "No such command 'dags'.",
        "orchesjob-flow run nightly.yaml --param DAY=sunday",
    ),
    (
        "tasks clear nightly -t load",
        "No such command 'tasks'.",
        "orchesjob-flow retry nightly-1 --step load",
    ),
    (
        "run nightly.yaml -e DAY",
        "No such option '-e'.",
        'orchesjob-flow run nightly.yaml --env "DAY=$DAY"',
    ),
    (
        "run nightly.yaml --extra-vars DAY=sunday",
        "No such option '--extra-vars'.",
        "orchesjob-flow run nightly.yaml --param DAY=sunday",
    ),
    (
        "playbook nightly.yaml --syntax-check",
        "No such command 'playbook'.",
        "orchesjob-flow validate nightly.yaml",
    ),
    (
        "run nightly.yaml -vvv",
        "No such option '-v'.",
        "orchesjob-flow run nightly.yaml --progress plain",
    ),
    (
        "submit nightly.yaml -p DAY=sunday",
        "No such command 'submit'.",
        "orchesjob-flow run nightly.yaml --param DAY=sunday",
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
            "orchesjob-flow retry nightly-1 --step STEP  # runs a succeeded step again "
            "too; everything: orchesjob-flow run nightly.yaml"
        ),
    ),
    (
        "stop open-1 --message 'too late'",
        "No such command 'stop'.",
        "orchesjob-flow cancel open-1  # no message is recorded",
    ),
    (
        "lint nightly.yaml --strict",
        "No such command 'lint'.",
        "orchesjob-flow validate nightly.yaml --strict",
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
            "orchesjob-flow logs nightly-1 load --attempt all  # each line begins with "
            "the number of its attempt"
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
        "orchesjob-flow wait nightly-1",
    ),
    (
        "cancel nightly",
        "no run 'nightly' in {db}",
        'no run of flow "nightly" is running; of other flows: open-1',
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
        "orchesjob-flow settle nightly-1 load --as=skipped --reason='...'",
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
        "run 'open-1' has not ended; its runner is gone",
        "orchesjob-flow resume open-1  # or end it: orchesjob-flow cancel open-1",
    ),
    (
        "retry weekly-1",
        "run 'weekly-1' has SUCCEEDED; name the steps to run again with --step",
        "orchesjob-flow retry weekly-1 --step copy",
    ),
    (
        "report nightly-1 --format pdf",
        "Invalid value for '--format': 'pdf' is not one of 'html', 'junit', 'markdown', 'trace'.",
        "orchesjob-flow report nightly-1 --format html",
    ),
    (
        "report nightly-1 --output",
        "Option '--output' requires an argument.",
        "orchesjob-flow report nightly-1 --output report.html",
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
        (
            "orchesjob-flow graph -k nightly-1  # the run; the file: orchesjob-flow graph "
            "nightly.yaml"
        ),
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
        "orchesjob-flow validate --strict nightly.yaml  # or weekly.yaml",
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
        (
            "orchesjob-flow prune --older-than 30d --dry-run  # 30 days; without "
            "--dry-run it removes them"
        ),
    ),
    (
        "prune --older-than '30 days'",
        (
            "Invalid value for '--older-than': \"30 days\" is not a duration such as 90s, "
            "15m or 1h30m; write a number and w, d, h, m or s, as in 30d"
        ),
        "orchesjob-flow prune --older-than 30d --dry-run  # without --dry-run it removes them",
    ),
    (
        "prune --keep 5",
        "which runs to remove is missing: name them, or say how long ago they ended",
        (
            "orchesjob-flow prune --older-than 30d --keep 5 --dry-run  # without "
            "--dry-run it removes them; one run: orchesjob-flow prune KEY"
        ),
    ),
    (
        "prune nightly-1 --keep 5",
        "run 'nightly-1' and --keep are both given",
        (
            "orchesjob-flow prune nightly-1  # what is named; by age: orchesjob-flow "
            "prune --older-than 30d --keep 5 --dry-run"
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
        'Invalid value for \'--param\': SHOP must be "berlin" or "paris", got "rome"',
        "orchesjob-flow start nightly-9 nightly.yaml --param SHOP=berlin",
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
        'set "max_parallel: 4" at the top level of nightly.yaml',
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
        (
            "orchesjob-flow start nightly-9 nightly.yaml -d  # when it has ended: "
            "orchesjob-flow report nightly-9 --format html -o out.html"
        ),
    ),
    (
        "start nightly-9 nightly.yaml --env PATH",
        "Invalid value for '--env': 'PATH' is not of the form NAME=VALUE",
        'orchesjob-flow start nightly-9 nightly.yaml --env "PATH=$PATH"',
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
        (
            "orchesjob-flow explain nightly-1 load  # its output: orchesjob-flow logs "
            "nightly-1 load --attempt 1"
        ),
    ),
    (
        "status nightly.yaml",
        "no run 'nightly.yaml' in {db}",
        "orchesjob-flow status nightly-1  # the newest run of nightly.yaml",
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
        "orchesjob-flow doctor nightly-1  # this run; every run: orchesjob-flow doctor --all",
    ),
    (
        "resume open-1 --all",
        "run 'open-1' and --all are both given",
        (
            "orchesjob-flow resume open-1  # this run; every run without a runner: "
            "orchesjob-flow resume --all"
        ),
    ),
    (
        "run nightly.yaml -d --progress plain",
        "--detach and --progress plain are both given, and a background process shows nothing",
        (
            "orchesjob-flow run nightly.yaml --progress plain  # in the background: "
            "orchesjob-flow run nightly.yaml -d"
        ),
    ),
    (
        "run nightly.yaml --timeout 10m",
        "No such option '--timeout'.",
        'set "timeout_sec: 10m" at the top level of nightly.yaml',
    ),
    (
        "run nightly.yaml --retries 3",
        "No such option '--retries'.",
        'set "retries: 3" at a step of nightly.yaml',
    ),
    (
        "logs copy",
        "no run 'copy'; it is a step of flow \"weekly\"",
        "orchesjob-flow logs - copy  # - is the newest run",
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
        "orchesjob-flow graph nightly.yaml  # or weekly.yaml",
    ),
    (
        "graph nightly-1",
        "nightly-1: no such file; orchesjob-flow graph -k nightly-1",
        None,
    ),
    (
        "simulate nightly-1",
        (
            "nightly-1: no such file; orchesjob-flow simulate nightly.yaml  # what "
            "happened in the run: orchesjob-flow explain nightly-1"
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
        'step "load" is already FAILED; nothing needs to be settled',
    ),
    (
        "settle nightly-1 load",
        "Missing options '--as' and '--reason'.",
        "orchesjob-flow settle nightly-1 load --as skipped --reason '...'  # or --as succeeded",
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
            "orchesjob-flow prune --older-than 30d --dry-run  # without --dry-run it "
            "removes them; one run: orchesjob-flow prune KEY"
        ),
    ),
    (
        "prune open-1",
        "run 'open-1' has not ended; its runner is gone",
        "orchesjob-flow resume open-1  # or end it: orchesjob-flow cancel open-1",
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
        "orchesjob-flow retry nightly-1 --step load --only",
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
    (
        "retry nightly-1 --dry-run",
        "No such option '--dry-run'.",
        "orchesjob-flow status nightly-1  # shows the run, and changes nothing",
    ),
    (
        "stop open-1 -n",
        "No such command 'stop'.",
        "orchesjob-flow status open-1  # shows the run, and changes nothing",
    ),
    (
        "docker system prune -f",
        "No such command 'docker'.",
        (
            "orchesjob-flow prune --older-than 30d --dry-run  # without --dry-run it "
            "removes them; nothing is asked"
        ),
    ),
    (
        "make -n nightly",
        "No such command 'make'.",
        "orchesjob-flow simulate nightly.yaml  # it shows what would run",
    ),
    (
        "ansible-playbook nightly.yaml --check",
        "No such command 'ansible-playbook'.",
        "orchesjob-flow simulate nightly.yaml  # it shows what would run",
    ),
    (
        "run nightly.yaml --list-tasks",
        "No such option '--list-tasks'.",
        "orchesjob-flow graph nightly.yaml  # shows the steps of a flow",
    ),
    (
        "up --dry-run",
        "No such command 'up'.",
        "orchesjob-flow simulate nightly.yaml  # or weekly.yaml; it shows what would run",
    ),
    (
        "retry weekly",
        "no run 'weekly' in {db}",
        'no run of flow "weekly" has FAILED or was cancelled; of other flows: nightly-1',
    ),
    (
        "stop nightly",
        "No such command 'stop'.",
        'no run of flow "nightly" is running; of other flows: open-1',
    ),
    (
        "dags list-runs -d nightly",
        "No such command 'dags'.",
        "orchesjob-flow list --flow-id nightly",
    ),
    (
        "logs nightly-1 --timestamps",
        "No such option '--timestamps'.",
        "lines carry no times; pipe the command through `ts` in a script",
    ),
    (
        "prune --older-than",
        "Option '--older-than' requires an argument.",
        "orchesjob-flow prune --older-than 30d --dry-run  # without --dry-run it removes them",
    ),
    (
        "start nightly-9 nightly.yaml --param=SHOP=pariss",
        'Invalid value for \'--param\': SHOP must be "berlin" or "paris", got "pariss"',
        "orchesjob-flow start nightly-9 nightly.yaml --param=SHOP=paris",
    ),
    (
        "run nightly.yaml -d --report html=out.html",
        "--detach and --report are both given, and a background process writes no report",
        (
            "orchesjob-flow run nightly.yaml -d  # when it has ended: orchesjob-flow "
            "report KEY --format html -o out.html"
        ),
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
