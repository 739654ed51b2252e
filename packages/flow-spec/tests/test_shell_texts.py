"""Lost failures, joined lines and stale lists are found; reasonable texts are left alone (11.2)."""

import subprocess
from pathlib import Path

import pytest

from flow_spec import find_warnings, read_flow
from flow_spec.step import SHELL
from flow_spec.warnings.shell_texts import lost_failure

# Texts for `sh -c`, and the command whose failure is lost in them, if there is one.
FAILURES: list[tuple[str, str | None]] = [
    # In a pipe, only the last command counts.
    ("pg_dump shop | gzip > shop.sql.gz", "pg_dump shop"),
    ("tar cz /srv | ssh host 'cat > srv.tgz'", "tar cz /srv"),
    ("cd /srv && ./load 2>&1 | tee load.log", "./load 2>&1"),
    ("curl -fsS https://example.org/rate | jq .rate", "curl -fsS https://example.org/rate"),
    ("a | b | wc -l", "b"),
    ("set -e; dump | gzip > x", "dump"),
    ("set -o pipefail; dump | gzip > x", None),
    ("dump | gzip > x; exit ${PIPESTATUS[0]}", None),
    ("echo hi | tee x", None),
    ("ps | wc -l", None),
    ("./load | grep -q done", None),
    ("./load | mail -s loaded root", None),
    ("while dump | gzip > x; do sleep 1; done", None),
    ("psql -c 'a | tee b'", None),
    ("x=$(dump | gzip)", None),
    ("# dump | gzip\n./load", None),
    # Without -e, the shell goes on after a failure.
    ("cd /srv; ./load", "cd /srv"),
    ("./a\n./b\n", "./a"),
    ("./a; ./b", "./a"),
    ("./a; echo done", "./a"),
    ("(cd x; ./a)", "cd x"),
    ("{ ./a; ./b; }", "./a"),
    ("for f in *.csv; do ./load $f; done", "./load $f"),
    ("./a && ./b", None),
    ("./a || exit 3; ./b", None),
    ("set -e; ./a; ./b", None),
    ("set -eu\n./a\n./b", None),
    ("./a; code=$?; ./b; exit $code", None),
    ("./a; true", None),
    ("./a; exit 0", None),
    ("echo start; ./a", None),
    ("DAY=$(date +%F); ./a", None),
    ("sleep 1; exec ./a", None),
    ("trap 'rm x' EXIT; ./a; ./b", None),
    ("f() { ./a; ./b; }; f", None),
    ("if test -f x; then ./a; else ./b; fi", None),
    ("if ./a; then echo yes; fi", None),
    ("until ./a; do sleep 1; done", None),
    ("for f in 1 2; do echo $f; done", None),
    ("./server & ./a", None),
    ("cat > x <<END\n a; b\nEND\n", None),
    ("find . -exec rm {} \\;", None),
    ("./a 2>&1", None),
    ("{ echo a; echo b; } > log; ./a", None),
    ("for ((i = 0; i < 3; i++)); do echo $i; done", None),
    ("((i++)); ./a", None),
    ("[[ -e a || -e b ]]; ./a", None),
    ("[[ -e a ]] || echo 'a failed'", None),
    ("# ./a; ./b\n./c\n", None),
]


@pytest.mark.parametrize(("text", "lost"), FAILURES)
def test_a_shell_that_ignores_a_failure(text: str, lost: str | None) -> None:
    """What is found is the first command whose failure cannot fail the step (rule 11.2)."""
    found = lost_failure(["sh", "-c", text])
    assert (None if found is None else text[found.begin : found.end]) == lost


# Scripts for the default shell in which `./fail` fails, and what is lost in them.
SCRIPTS: list[tuple[str, str | None]] = [
    ("for d in $(./fail -l); do ./ok $d; done", "$(./fail -l)"),
    ("for d in `./fail`; do ./ok $d; done", "`./fail`"),
    ("while read d; do ./ok $d; done < <(./fail)", "<(./fail)"),
    ("mapfile -t all < <(./fail)\n./ok", "<(./fail)"),
    ('export TOKEN="$(./fail -t)"\n./ok', "$(./fail -t)"),
    ("readonly  DAY=$(./fail)\n./ok", "$(./fail)"),
    ("./fail & ./ok & wait", "./fail"),
    ("cd /nope && ./ok\n./ok", "cd /nope"),
    ("for x in 1 2; do cp ./nope x && ./ok; ./ok; done", "cp ./nope x"),
    ("./fail || echo 'load failed'", "./fail"),
    ("if ! ./fail | cat; then\n  echo ERROR >&2\nelse\n  ./ok\nfi", "if ! ./fail"),
    ("find ok -exec ./fail {} \\;", "find ok -exec ./fail {} \\;"),
    ("TOKEN=$(./fail)\nexport TOKEN", None),
    ("./fail || { echo failed; exit 1; }", None),
    ("if ! ./fail; then echo failed; exit 1; fi", None),
    ("find ok -exec ./fail {} +", None),
    ("DAYS=$(./fail)\nfor d in $DAYS; do ./ok; done", None),
    ("./fail & A=$!\n./ok\nwait $A", None),
    ("./ok & wait -n\n./fail", None),
    ("cd /nope && ./ok", None),
    ("(cd /nope && ./ok)\n./ok", None),
    ("cp ./nope x && ./ok || exit 3\n./ok", None),
    ("./ok | ./fail | ./ok", None),
    ("./fail\n./ok", None),
    ("[ -e x ] && ./ok\n./fail", None),
    ("for i in $(seq 1 2); do ./fail; done", None),
    ("export DAY=$(date +%F)\n./fail", None),
]


@pytest.mark.parametrize(("text", "lost"), SCRIPTS)
def test_failures_that_a_script_ignores(tmp_path: Path, text: str, lost: str | None) -> None:
    """What is found for the default shell is what makes bash succeed (rules 10.4 and 11.2)."""
    for name, code in (("ok", 0), ("fail", 3)):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\nexit {code}\n", encoding="utf-8")
        program.chmod(0o755)
    words = (*SHELL, text, "step")
    found = lost_failure(words)
    assert (None if found is None else text[found.begin : found.end]) == lost
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode == 0) is (lost is not None)


# Commands, and whether they may succeed without their work done.
PROGRAMS: list[tuple[str, bool]] = [
    ("curl -O https://example.org/x", True),
    ("nice curl -s -F a=b https://example.org/x", True),
    ("curl -fsS https://example.org/x", False),
    ("curl -sSLfo x https://example.org/x", False),
    ("curl --fail-with-body https://example.org/x", False),
    ("curl -s -o /dev/null -w %{http_code} https://example.org/x", False),
    ("curl --version", False),
    ("psql shop -f load.sql", True),
    ("psql --file=load.sql", True),
    ("psql -v ON_ERROR_STOP=1 -f load.sql", False),
    ("psql -c 'select 1'", False),
    ("find . -name *.log -exec gzip {} ;", True),
    ("find . -name *.log -exec gzip {} +", False),
    ("find . -name *.tmp -exec rm {} ;", False),
]


@pytest.mark.parametrize(("command", "may_succeed"), PROGRAMS)
def test_programs_that_succeed_anyway(command: str, *, may_succeed: bool) -> None:
    """The words of a command are looked at as a text of a shell is (rule 11.2)."""
    assert (lost_failure(command.split()) is not None) is may_succeed
    text = command.replace(" ;", " \\;")
    assert (lost_failure((*SHELL, text, "step")) is not None) is may_succeed
    assert lost_failure((*SHELL, f"{text} || true", "step")) is None


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("docker ps | grep -q shop", "docker ps"),
        ("find src -newer stamp | grep -q .", "find src -newer stamp"),
        ("echo $DAY | grep -q mon", None),
        ("grep -q x file", None),
    ],
)
def test_a_failure_that_looks_like_a_no(text: str, lost: str | None) -> None:
    """`only_if` skips a step by 1, which `grep` says without any input (rule 10.8)."""
    found = lost_failure(["sh", "-c", text], is_gate=True)
    assert (None if found is None else text[found.begin : found.end]) == lost
    assert lost_failure(["sh", "-c", text]) is None


@pytest.mark.parametrize(
    ("words", "is_lost"),
    [
        (["bash", "-c"], True),
        (["/bin/bash", "-lc"], True),
        (["docker", "run", "alpine", "sh", "-c"], True),
        (["bash", "-e", "-c"], True),  # the pipe
        (["bash", "-o", "pipefail", "-c"], True),  # the list
        (["bash", "-o", "errexit", "-o", "pipefail", "-c"], False),
        (["bash", "-euo", "pipefail", "-c"], False),
        (["zsh", "-eo", "pipefail", "-c"], False),
        (["fish", "-c"], False),
        (["python3", "-c"], False),
    ],
)
def test_options_that_tell_a_shell_to_stop(words: list[str], *, is_lost: bool) -> None:
    """A shell stops at failures if its options say so, in lists and in pipes."""
    assert (lost_failure([*words, "./a; dump | gzip > x"]) is not None) is is_lost


# The lines of a folded text, and whether they look like several commands.
FOLDED: list[tuple[str, str | None]] = [
    ("echo one\nfalse", "one false"),
    ("set -e\ncd /srv\n./load", "-e cd"),
    ("cd /srv\n./load", "/srv ./load"),
    ("mkdir -p out\ncp a out", "out cp"),
    ("./load a\n./load b", "a ./load"),
    ("borg create x /srv\nborg prune x", "/srv borg"),
    ("./load\nDAY=2 ./load", "./load DAY=2"),
    ("if test -f x\nthen ./a; fi", "x then"),
    ("# loads all\n./load", "all ./load"),
    ("./load # all\n./report", "all ./report"),
    ("rsync -a a \\\nb", "\\ b"),
    ("orchesjob-flow start k\n--progress none region.yaml", None),
    ("cp a b &&\nchown x b &&\nexec y", None),
    ("echo a;\necho b", None),
    ("echo a\n\necho b", None),
    ("dump\n| gzip > x", None),
    ("dump |\ngzip > x", None),
    ("./load\n> load.log", None),
    ("while true; do\nsleep 1;\ndone", None),
    ('psql -c "select a\nfrom b"', None),
    ("rsync -a\nsrc/ dest/", None),
    ("tar czf x.tgz\n/srv\n/etc", None),
    ("apt-get install -y\ncurl git", None),
    ("docker run --rm image\npython3 load.py", None),
    ("exec\nrsync a b", None),
    ("mvn clean\ntest", None),
    ("./load --mode\nread", None),
    ("find . -name x\n-exec rm {} +", None),
    ("DAY=1\nHOUR=2\n./load", None),
]


def folded(folder: Path, text: str, style: str = ">-") -> list[str | None]:
    """Return the characters about which there is a warning that lines are joined."""
    lines = "\n".join(f"      {line}" for line in text.split("\n"))
    source = f"flow_id: f\nsteps:\n- id: a\n  command:\n  - sh\n  - -ec\n  - {style}\n{lines}\n"
    (folder / "flow.yaml").write_text(source, encoding="utf-8")
    found = find_warnings(read_flow(folder / "flow.yaml")).warnings
    spans = [warning.span for warning in found if warning.code == "joined-lines"]
    return [None if span is None else span.text[span.start : span.end] for span in spans]


@pytest.mark.parametrize(("text", "joined"), FOLDED)
def test_lines_that_are_joined(tmp_path: Path, text: str, joined: str | None) -> None:
    """A folded text of several commands is warned about; a long command in lines is not (10.4)."""
    assert folded(tmp_path, text) == ([] if joined is None else [joined])
    assert folded(tmp_path, text, "|") == []


def test_joined_lines_in_quotes(tmp_path: Path) -> None:
    """Quoted and plain texts are folded as well, and marked where the lines meet."""
    text = "flow_id: f\nsteps:\n- {id: a, command: [sh, -ec, 'cd x\n    ./load']}\n"
    (tmp_path / "flow.yaml").write_text(text, encoding="utf-8")
    (warning,) = find_warnings(read_flow(tmp_path / "flow.yaml")).warnings
    assert (warning.code, warning.line, warning.column) == ("joined-lines", 3, 30)
    assert warning.mark is not None
    assert warning.mark.line == 3


# A step that runs before a foreach, its list, and whether the step seems to write the list.
WRITERS: list[tuple[str, str, bool]] = [
    ("script: psql -c x > shops.txt", "lines: shops.txt", True),
    ("script: psql -c x >> ./shops.txt", "lines: shops.txt", True),
    ("script: psql -c x >'shops.txt' 2> log", "lines: shops.txt", True),
    ("script: psql -c x | tee shops.txt", "lines: shops.txt", True),
    ("script: cd x && mv new shops.txt", "lines: shops.txt", True),
    ('script: psql -c x > "$SHOP.txt"', "lines: '${{ SHOP }}.txt'", True),
    ("script: 'psql -c x > \"${SHOP}.txt\"'", "lines: '${{ SHOP }}.txt'", True),
    ("command: [psql, -o, shops.txt]", "lines: shops.txt", True),
    ("command: [curl, --output=shops.txt, x]", "lines: shops.txt", True),
    ("command: [cp, other.txt, shops.txt]", "lines: shops.txt", True),
    ("command: [sh, -c, 'ls > shops.txt']", "lines: shops.txt", True),
    ("command: [rsync, -a, 'host:in/', in/]", "glob: 'in/*.csv'", True),
    ("command: [split, -l, '9', all.csv, in/part-]", "glob: 'in/part-*'", True),
    ("command: [unzip, all.zip, -d, in]", "glob: 'in/*.csv'", True),
    ("script: wc -l < shops.txt", "lines: shops.txt", False),
    ("command: [cp, shops.txt, saved.txt]", "lines: shops.txt", False),
    ("command: [cp, other.txt, in/]", "lines: in/shops.txt", False),
    ("script: psql -c x > other.txt", "lines: shops.txt", False),
    ("script: psql -c x > shops.txt, working_dir: y", "lines: shops.txt", False),
    ("command: [unzip, all.zip, -d, out]", "glob: 'in/*.csv'", False),
]


@pytest.mark.parametrize(("step", "source", "is_written"), WRITERS)
@pytest.mark.parametrize(("when", "waits"), [("a", True), ("b", True), ("e", False)])
def test_a_list_that_a_step_writes(  # noqa: PLR0913 - two tables
    tmp_path: Path, step: str, source: str, when: str, *, is_written: bool, waits: bool
) -> None:
    """A list is read when the run is recorded, so what a step writes comes too late (10.3).

    A step for which no copy waits may write the list of the next run.
    """
    text = f"""flow_id: f
params: {{SHOP: berlin}}
steps:
- {{id: a, {step}}}
- {{id: b, when: a, command: [x]}}
- {{id: e, command: [x]}}
- foreach: {{N: {{{source}}}}}
  steps: [{{id: c, when: {when}, command: [x]}}, {{id: d, when: c, command: [x]}}]
"""
    (tmp_path / "flow.yaml").write_text(text, encoding="utf-8")
    read = read_flow(tmp_path / "flow.yaml", read_list=lambda *_: ["one"])
    codes = [one.code for one in find_warnings(read).warnings if one.code == "stale-list"]
    assert len(codes) == (is_written and waits)
