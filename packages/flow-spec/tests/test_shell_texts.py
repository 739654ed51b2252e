"""Lost failures, joined lines and stale lists are found; reasonable texts are left alone (11.2)."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from flow_spec import find_warnings, read_flow
from flow_spec.step import SHELL
from flow_spec.warnings.shell_texts import lost_failure, only_sets

# Texts in which `./fail` fails, and the command whose exit status is lost in bash: with the options
# that a script has, and without any.
LOST: list[tuple[str, str]] = [
    # A substitution that is not the whole value of a plain assignment.
    ('echo "X=$(./fail)" > f', "./fail"),
    ('X=$(echo "$(./fail)")', "./fail"),
    ("./ok $(./fail)", "./fail"),
    ("./ok $(./ok; ./fail)", "./ok"),
    ("cat <<END > f\n$(./fail)\nEND\n", "./fail"),
    ("cat < <(./fail)", "./fail"),
    ("export X=$(./fail)", "./fail"),
    ("A=$(./fail) B=$(./ok)", "./fail"),
    ("X=$(./fail; ./ok)", "./fail"),
    ("f() { ./fail; ./ok; }; X=$(f)", "./fail"),
    ("./ok $(./fail || exit 3)", "exit 3"),
    ("for d in $(./fail -l); do ./ok $d; done", "./fail -l"),
    ("case $(./fail) in x) ./ok;; esac", "./fail"),
    ('if [ -z "$(./fail)" ]; then ./ok; fi', "./fail"),
    ('[[ "$(./fail)" = "" ]]', "./fail"),
    ('test -z "$(./fail)"; ./ok', "./fail"),
    ('! test "$(./fail)" = x', "./fail"),
    # A failure at which `-e` does not stop.
    ("! ./ok\n./ok", "! ./ok"),
    ("if ./ok; then ./fail && ./ok; fi\n./ok", "./fail"),
    ("./fail &", "./fail"),
    ("(./fail || exit 4) & wait", "exit 4"),
    ("f() { ./fail; ./ok; }\nf || exit 3", "./fail"),
    ("f() { ./fail; ./ok; }\n! f || ./ok", "./fail"),
    ("{ ./fail; ./ok; } || exit 3", "./fail"),
    ("if ./fail; ./ok; then ./ok; fi", "./fail"),
    # Texts for shells within the text, with options of their own.
    ("ssh HOST './fail | cat'", "./fail"),
    ('ssh HOST "./fail; ./ok"', "./fail"),
    ("./ok && nice sh -c './fail; ./ok'", "./fail"),
]
WITHOUT_OPTIONS: list[tuple[str, str]] = [
    ("./fail | ./ok", "./fail"),
    ("./fail | gzip > x || exit 3", "./fail"),
    ("set -e; ./fail | ./ok", "./fail"),
    ("{ ./fail; } | ./ok", "./fail"),
    ("while read d; do ./fail; done < list | ./ok", "./fail"),
    ("cd /nope; ./ok", "cd /nope"),
    ("{ ./fail; ./ok; }", "./fail"),
    ("for f in 1 2; do ./fail $f; ./ok; done", "./fail $f"),
    ("case a in a) ./fail; ./ok;; esac", "./fail"),
    ("f() { ./fail; ./ok; }; f", "./fail"),
    ("cd /nope && ./ok; ./ok", "cd /nope"),
]

# Texts that fail if `./fail` does.
SAFE: list[str] = [
    "./fail",
    "X=$(./fail)\n./ok",
    'A=$(date -d "$(date)") B=$(./fail); ./ok',
    "X=$(./ok && ./fail); ./ok",
    "X=$(shopt -s inherit_errexit; ./ok); ./fail",
    "./fail | tee x | wc -l\n./ok",
    "grep -q bash ok && ./fail\n./ok",
    "./fail && ./ok",
    "{ ./fail && ./ok; }",
    "if ./ok; then ./fail && ./ok; fi",
    "f() { ./fail; ./ok; }\nf",
    "f() { ./fail && ./ok; }\nf; ./ok",
    "./fail & A=$!\n./ok\nwait $A",
    "./fail & wait -n",
    "for i in $(seq 1 2); do ./fail; done",
    "cat > x <<'END'\n$(./fail) | x; y\nEND\n./fail",
    'test "$(./fail)" -gt 0; ./ok',
    '[ "$(./fail)" = x ]; ./ok',
    '[ "$(./fail)" = x ] || exit 3; ./ok',
    "ssh HOST './ok && ./fail'; ./ok",
    "ssh HOST 'set -e; ./fail; ./ok'",
    "while read x; do ./fail; done < ok; ./ok",
    "printf x | while read -d '' x || [ $x ]; do ./fail; done; ./ok",
]

# Texts whose author asks for it that a failure does not count, or that only say something.
ASKED: list[str] = [
    "./fail || true",
    "./fail | cat || :",
    "./ok $(./fail || true)",
    "./ok $(./fail || exit 0)",
    "if ./fail; then ./ok; fi",
    "for i in 1 2; do ./fail && break; sleep 0; done",
    'echo "$(./fail) orders"',
    'printf "%s\\n" "$(./fail)" >&2; ./ok',
    "sleep 0 & ./ok",
]
ASKED_WITH_OPTIONS: list[str] = [
    "[ -e x ] && ./fail; ./ok",
    "grep -q x ok && ./ok; ./ok",
    "./fail -q && ./ok; ./ok",
]
ASKED_WITHOUT_OPTIONS: list[str] = [
    "./fail; code=$?; ./ok; exit 0",
    "./fail\nif [ $? = 3 ]; then ./ok; fi",
    "dump=x; echo hi | tee x",
    "trap 'exit 4' ERR; ./ok; ./ok",
    "./fail | gzip > x; [ ${PIPESTATUS[0]} = 3 ]",
    "set -o pipefail; if ./fail | cat; then ./ok; fi",
]


def exit_code(folder: Path, words: tuple[str, ...]) -> int:
    """Run a command in bash, with `./ok` and `./fail`, and with hosts that are this one."""
    (folder / "bin").mkdir()
    ssh = 'shift $(($# - 1)); exec bash -c "$1"'
    for name, text in (("ok", "cat > x; exit 0"), ("fail", "exit 3"), ("bin/ssh", ssh)):
        program = folder / name
        program.write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
        program.chmod(0o755)
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        words,
        cwd=folder,
        env={"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    ).returncode


def script(text: str) -> tuple[str, ...]:
    return (*SHELL, text, "step")


def bare(text: str) -> tuple[str, ...]:
    return ("bash", "-c", text)


@pytest.mark.parametrize(
    ("words", "lost"),
    [(script(text), lost) for text, lost in LOST]
    + [(bare(text), lost) for text, lost in WITHOUT_OPTIONS],
    ids=repr,
)
def test_a_failure_that_is_lost(tmp_path: Path, words: tuple[str, ...], lost: str) -> None:
    """What is found fails, and bash ends with 0 all the same (rule 11.2)."""
    found = lost_failure(words)
    assert found is not None
    assert words[found.place][found.begin : found.end] == lost
    assert exit_code(tmp_path, words) == 0


@pytest.mark.parametrize("text", SAFE)
def test_a_failure_that_ends_the_text(tmp_path: Path, text: str) -> None:
    """There is no warning where bash ends with a failure (rule 11.2)."""
    assert lost_failure(script(text)) is None
    assert exit_code(tmp_path, script(text)) != 0


@pytest.mark.parametrize(
    "words",
    [*map(script, [*ASKED, *ASKED_WITH_OPTIONS]), *map(bare, [*ASKED, *ASKED_WITHOUT_OPTIONS])],
    ids=repr,
)
def test_a_failure_that_is_accepted(tmp_path: Path, words: tuple[str, ...]) -> None:
    """What the author asks for is no mistake, nor is a message, though bash ends with 0 (11.2)."""
    assert lost_failure(words) is None
    assert exit_code(tmp_path, words) == 0


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("./fail | grep -q shop", "./fail"),
        ('test -n "$(./fail)"', "./fail"),
        ("echo $DAY | grep -q mon", None),
        ("grep -q x ok", None),
        ("X=$(./fail) || exit 2; [ $X = 1 ]", None),
    ],
)
def test_a_failure_that_looks_like_a_no(tmp_path: Path, text: str, lost: str | None) -> None:
    """`only_if` skips a step by 1, which `grep` says without any input (rule 10.8)."""
    found = lost_failure(script(text), is_gate=True)
    assert (None if found is None else text[found.begin : found.end]) == lost
    assert lost is None or exit_code(tmp_path, script(text)) == 1


# Texts of 15,000 characters, or longer ones, that are nested as deeply as they can be.
NESTED = [
    ("(", ")"),
    ("$(", ")"),
    ("X=$(", ")"),
    ("a $(", ")"),
    ('sh -c "$(', ')"'),
    ("{ a; ", "; }"),
]
NESTED += [("[[ $(", ") ]]"), ("if a; then ", "; fi"), ("! (", "); a"), ("(a && ", " && c)")]
HOSTILE = [
    *(
        before * n + "a" + after * n
        for before, after in NESTED
        for n in [15_000 // len(before + after)]
    ),
    "(" * 10_000 + "a" + ")" * 10_000,
    "a; " * 350_000,
    *(
        part * (15_000 // len(part))
        for part in ("a && ", "a | ", "a & ", "$(", "cat <<E\n", "a `b` ")
    ),
    *("a \0 b", "a; \ud800", "if a; then", "a 'b", "X=(", "! { a; b; } | c"),
    "".join(f"f{n}() {{ f{n + 1}; f{n + 1} || a $(f{n + 1}); f{n + 1} & }}\n" for n in range(300))
    + "f0",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_any_text_is_read_soon_or_left_unread(text: str) -> None:
    """A look takes a second at most, and no text is nested too deeply (rules 2.8 and 11.2)."""
    begun = time.process_time()
    lost_failure(script(text))
    only_sets(script(text))
    assert time.process_time() - begun < 3  # several times what was measured


@pytest.mark.parametrize("text", ["./fail | (", "./fail; ./ok #" + "x" * 16_384])
def test_what_is_not_understood_has_no_warning(text: str) -> None:
    """A text with a mistake, or a very long one, is left to the shell (rule 11.2)."""
    assert lost_failure(bare(text)) is None


# The lines of a folded text, and whether they look like several commands.
FOLDED: list[tuple[str, str | None]] = [
    ("echo one\nfalse", "one false"),
    ("set -e\ncd /srv\n./load", "-e cd"),
    ("./load\nDAY=2 ./load", "./load DAY=2"),
    ("if test -f x\nthen ./a; fi", "x then"),
    ("# loads all\n./load", "all ./load"),
    ("./load # all\n./report", "all ./report"),
    ("rsync -a a \\\nb", "\\ b"),
    ("cp a b &&\nchown x b &&\nexec y", None),
    ("echo a;\necho b", None),
    ("dump\n| gzip > x", None),
    ("dump |\ngzip > x", None),
    ("./load\n> load.log", None),
    ("while true; do\nsleep 1;\ndone", None),
    ('psql -c "select a\nfrom b"', None),
    ('bash -c "cd x\ncd y"', None),
    ("rsync -a\nsrc/ dest/", None),
    ("exec\nrsync a b", None),
    ("mvn clean\ntest", None),
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
    ("script: psql -c x >'shops.txt' 2> log", "lines: shops.txt", True),
    ("script: psql -c x | tee shops.txt", "lines: shops.txt", True),
    ("command: [cp, other.txt, shops.txt]", "lines: shops.txt", True),
    ("command: [sh, -c, 'ls > shops.txt']", "lines: shops.txt", True),
    ("script: psql -c x > in/shops.csv", "glob: 'in/*.csv'", True),
    ("script: wc -l < shops.txt", "lines: shops.txt", False),
    ("command: [cp, shops.txt, saved.txt]", "lines: shops.txt", False),
    ("script: psql -c x > other.txt", "lines: shops.txt", False),
    ("script: psql -c x > shops.txt, working_dir: y", "lines: shops.txt", False),
]


@pytest.mark.parametrize(("step", "source", "is_written"), WRITERS)
@pytest.mark.parametrize(("when", "waits"), [("b", True), ("e", False)])
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


def test_a_text_for_ssh() -> None:
    """A shell among the words for ssh, which joins them, does not get the last one as its text."""
    for words in ((), ("bash", "-euo", "pipefail", "-c")):
        found = lost_failure(("ssh", "HOST", *words, "./fail; ./ok"))
        assert found is not None
        assert found.reason.remedy.endswith("after the host, and begin it with: set -eo pipefail")
    assert lost_failure(("ssh", "HOST", "set -eo pipefail; ./fail | cat; ./ok")) is None
