"""What a valid flow file is warned about, where, and how that is allowed (rule 11.2)."""

import time
from pathlib import Path

import pytest

from flow_spec import differences, find_warnings, parse_flow, read_flow
from flow_spec.warnings.proofs import Proofs

A = "{id: a, command: [x]}"
B = "{id: b, when: a, command: [x]}"
C = "{{id: c, when: {}, command: [x]}}"
MIRROR = "{id: b, command: [x], allow_failure: true}"
OPTIONAL = "{id: a, command: [x], allow_failure: true}"
SPARE = "{id: d, command: [x], allow_failure: true}"
GATED = "{id: b, when: a, only_if: [x], command: [x]}"
PRODUCT = "{{id: {}, command: [x], produces: [o]{}}}"
COPIES = "{foreach: {N: [1, 2]}, steps: [{id: a, command: [x], allow_failure: true}]}"


def warned(folder: Path, *steps: str, more: str = "") -> list[str]:
    """Return the code of each warning, and the characters that it is about."""
    text = "\n".join(["flow_id: f", more, "steps:", *(f"- {step}" for step in steps)])
    (folder / "flow.yaml").write_text(text, encoding="utf-8")
    found = find_warnings(read_flow(folder / "flow.yaml")).warnings
    return [f"{warning.code} {marked(warning.mark)}" for warning in found]


def marked(mark: object) -> str | None:
    if not isinstance(mark, tuple):
        return None
    _, column, length, line = mark
    return str(line[column - 1 : column - 1 + length])


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([A, "{id: b, when: a && !a, command: [x]}"], "never-runs a && !a"),
        (
            [A, "{id: b, when: a.skipped, command: [x]}", "{id: c, depends_on: [b], command: [x]}"],
            "never-runs a.skipped\nnever-runs [",
        ),
        ([A, "{id: b, when: a || !a, command: [x]}"], "always-true a || !a"),
        ([A, B, "{id: c, when: b && !a.failed, command: [x]}"], "no-effect !a.failed"),
        ([A, B, "{id: c, when: b.failed, command: [mail]}"], "unhandled-failure b.failed"),
        ([A, B, "{id: c, when: a.failed, script: ./notify.sh}"], "unhandled-failure a.failed"),
        ([A, B, "{id: c-alert, when: a.failed, command: [x]}"], "unhandled-failure a.failed"),
        ([A, B, "{id: debug, when: b.failed, command: [journalctl, -u, shop]}"], ""),
        ([OPTIONAL, B, C.format("b.failed")], "ignored-failure a"),
        (
            [*(OPTIONAL, MIRROR, SPARE), C.format("(a || b) && d.finished")],  # d has no part in it
            "ignored-failure (a || b) && d.finished",
        ),
        ([COPIES, C.format("any(a)")], "ignored-failure any(a)"),
        ([A, GATED, C.format("b || b.skipped")], "skip-hides-failure b.skipped"),
        ([A, GATED, C.format("!b.failed")], "skip-hides-failure !b.failed"),
        (
            [
                *(A, B, "{id: c, when: b.failed, command: [mail]}"),
                "{id: d, when: c.finished, command: [tell, $ORCHESJOB_FLOW_FAILED_STEPS]}",
            ],
            "shell-syntax $ORCHESJOB_FLOW_FAILED_STEPS",
        ),
        ([A, "{id: tidy, when: a.finished, command: [x]}"], "skipped-cleanup a.finished"),
        (
            [A, "{id: clean, when: a || !a, command: [x]}"],
            "always-true a || !a\nskipped-cleanup a || !a",
        ),
        ([A, "{id: remove-duplicates, when: a.finished, command: [x]}"], ""),
        ("{id: a, command: [sh, -c, 'echo ${{ X }}']}", "literal-substitution ${{ X }}"),
        ("{id: a, command: [x, '$${{ X }}']}", ""),
        ("{id: a, command: [cd, work]}", "no-such-program cd"),
        ("{id: a, only_if: [cat, x, '|', y], command: [x]}", "shell-syntax |"),
        ("{id: a, only_if: ['!', test, -f, y], command: [x]}", "no-such-program '!'"),
        ("{id: a, foreach: [d/*.csv], command: [x]}", "shell-syntax d/*.csv"),
        ("{id: a, foreach: ['*.a', '*.b'], command: [x]}", ""),
        ("{id: a, foreach: [$(ls), b], command: [x]}", "shell-syntax $(ls)"),
        ("{id: a, env: {DAY: $(date)}, command: [x]}", "shell-syntax $(date)"),
        ("{id: a, foreach: [p, q], command: [x, '{{ item }}']}", "literal-value {{ item }}"),
        ("{id: a, script: 'cat ~/x | wc > $HOME/y'}", ""),
        ("{id: a, only_if: [test, -f, ~/x], command: [x]}", "shell-syntax ~"),
        ("{id: a, working_dir: ~/x, command: [x]}", "shell-syntax ~"),
        ("{id: a, env_file: [{path: ~/x.env, required: false}], command: [x]}", "shell-syntax ~"),
        ("{id: a, env_file: {path: $HOME/x.env}, command: [x]}", "shell-syntax $HOME"),
        (
            "{id: a, env: {P: '$HOME/bin', Q: ~/bin, R: '~', S: 'a$', T: '$5'}, command: [x]}",
            "shell-syntax $HOME\nshell-syntax ~",
        ),
        ("{id: a, env: {LOG: '$remote_addr ~/x'}, command: [x]}", ""),
        (
            "{foreach: {N: [1..12], M: [a, '{{ x }}']}, steps: [{id: a, command: [x]}]}",
            "literal-value 1..12\nliteral-value {{ x }}",
        ),
        (
            "{foreach: {N: ['${{ matrix.go }}', 1.2]}, steps: [{id: a, command: [x]}]}",
            "literal-value ${{ matrix.go }}",
        ),
        ("{foreach: {split: a $HOME}, id: a, command: [x]}", "shell-syntax $HOME"),
        (
            "{foreach: [p, q], id: a, command: [x, '*.$ITEM', '~/x']}",
            "shell-syntax $ITEM\nshell-syntax ~",
        ),
        ("{foreach: [p, q], id: a, command: [sh, -c, 'echo ${{ ITEM }}']}", ""),
        (
            "{foreach: [p, '; q'], id: a, command: [sh, -c, 'echo ${{ ITEM }}']}",
            "parameter-in-shell ${{ ITEM }}",
        ),
        (
            [
                *(A, "{foreach: [p, q], id: b, when: !a && a, command: [x]}"),
                "{foreach: [p], id: c, when: !a && a, command: [x], allow_warnings: [never-runs]}",
            ],
            "never-runs !a && a",
        ),
        ("{id: a, script: 'load ${{ inputs.day }}'}", "literal-value ${{ inputs.day }}"),
        (
            "{id: a, script: 'cd x; borg create y', success_exit_codes: [0, 1]}",
            "ambiguous-exit-code [",
        ),
        (
            "{id: a, command: [sh, -c, 'dump | gzip > y'], success_exit_codes: [0, 1]}",
            "lost-failure dump\nambiguous-exit-code [",
        ),
        ('{id: a, script: "# 1;2\\nx \\\\\\n y\\n", success_exit_codes: [0, 1]}', ""),
        ("{id: a, script: \"awk '{x;y}|&&' z\", success_exit_codes: [0, 1]}", ""),
        ("{id: a, command: [diff, x, y], success_exit_codes: [0, 1]}", ""),
        ("{id: a, shell: [bash, -c], script: 'cd x; load'}", "lost-failure cd x"),
        ("{id: a, script: 'cd x; dump | gzip > y'}", ""),
        ("{id: a, script: './load $(./list)'}", "lost-failure ./list"),
        ("{id: a, script: './load $(./list)', allow_failure: true}", ""),
        ("{id: a, command: [ssh, host, 'dump | gzip > x']}", "lost-failure dump"),
        ("{id: a, script: 'export X=1'}", "lost-setting {"),
        ("{id: a, command: [bash, -c, 'source x/bin/activate']}", "lost-setting {"),
        ("{id: a, command: [x/bin/activate]}", "lost-setting {"),
        ("{id: a, script: 'cd x && ./load'}", ""),
        ("{id: a, script: '# nothing yet'}", ""),
        ("{id: a, command: [x], success_exit_codes: [1]}", "zero-is-failure ["),
        ("{id: a, command: [x], success_exit_codes: [3], skip_exit_codes: [0]}", ""),
        ("{id: a, command: [x], retry_delay_sec: 5}", "unused-delay 5"),
        (
            "{id: a, command: [x], produces: ['~/o', $HOME/o, '{{ ds }}/o', 'o-*[0-9]']}",
            "shell-syntax ~\nshell-syntax $HOME\nliteral-value {{ ds }}",
        ),
        (
            ["{id: a, command: [x], produces: [o]}", "{id: b, command: [x], produces: [n, ./o]}"],
            "shared-product ./o",
        ),
        (
            "{id: a, command: [x], foreach: [p, p/../p], produces: ['${{ ITEM }}']}",
            "shared-product '${{ ITEM }}'",
        ),
        ([PRODUCT.format("a", ""), B, PRODUCT.format("c", ", when: b.finished")], ""),
        (
            [
                "{id: a, command: [x], skip_exit_codes: [4]}",
                *(PRODUCT.format("c", ", when: a"), PRODUCT.format("d", ", when: a.skipped")),
            ],
            "",
        ),
        ([PRODUCT.format("c", ""), PRODUCT.format("d", ", working_dir: d")], ""),
        ([PRODUCT.format(one, ", allow_warnings: [shared-product]") for one in "cd"], ""),
        ("{id: a, only_if: [sh, -c, 'dump | grep -q x'], command: [x]}", "lost-failure dump"),
        ("{id: a, script: \"docker ps --format '{{ json . }}{{end}}'\"}", ""),
        ("{id: a, command: [docker, ps, --format, '{{ x }}']}", ""),
        ("{id: a, command: [load, '{{.Name}}', '{{}}', '{{.ID}}']}", ""),
        ("{id: a, command: [load, 'x={{.GIT_SHA}}']}", "literal-value {{.GIT_SHA}}"),
        ("{id: a, script: 'load {{ .SHOP }}'}", "literal-value {{ .SHOP }}"),
        (
            [A, B, C.format("b && !(a.failed || a.skipped)")],  # and a.skipped
            "no-effect a.failed",
        ),
        ([A, B, C.format("b && !( a.failed )")], "no-effect !( a.failed )"),
    ],
)
def test_warnings(tmp_path: Path, steps: str | list[str], found: str) -> None:
    """Each of these is warned about, and nothing else is (rule 11.2)."""
    said = warned(tmp_path, *([steps] if isinstance(steps, str) else steps))
    assert said == found.splitlines()


PARAMS = "params: {SHOP: berlin, DAY: {enum: [mon, tue]}}"


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ("{id: a, command: [sh, -c, 'echo ${{ SHOP }}']}", "parameter-in-shell ${{ SHOP }}"),
        (
            "{id: a, command: [bash, -euo, pipefail, -c, 'x ${{ SHOP }}']}",
            "parameter-in-shell ${{ SHOP }}",
        ),
        ("{id: a, command: [sh, -c, 'echo ${{ DAY }}']}", ""),
        ("{id: a, command: [sh, -c, 'echo \"$1\"', x, '${{ SHOP }}']}", ""),
        ("{id: a, command: [sh, '${{ SHOP }}.sh', -c, y]}", ""),
        ("{id: a, command: [x, '${{ SHOP }}']}", ""),
        ("{id: a, script: 'echo ${{ SHOP }}'}", "literal-substitution ${{ SHOP }}"),
        ("{id: a, command: [x, $(DAY)]}", "shell-syntax $(DAY)"),
        ("{id: a, command: [x, 'd={{.DAY}}']}", "literal-value {{.DAY}}"),
        ("{id: a, command: [docker, x, '{{ DAY }}']}", "literal-value {{ DAY }}"),
        ("{id: a, script: 'sed \"s/{{DAY}}/$DAY/\" x'}", ""),
        ("{id: a, command: [x], timeout_sec: 9}\nconcurrency: {group: $DAY}", "shell-syntax $DAY"),
        (
            "{id: a, command: [x], timeout_sec: 9}\nconcurrency: {group: '{{ DAY }}'}",
            "literal-value {{ DAY }}",
        ),
    ],
)
def test_names_in_words(tmp_path: Path, step: str, found: str) -> None:
    """A value in a shell's text, and a name that stays as it is (rules 10.2 and 11.2)."""
    assert warned(tmp_path, step, more=PARAMS) == found.splitlines()


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("concurrency: {group: g}", "no-time-limit {"),
        ("concurrency: {on_conflict: replace}", ""),
        ("concurrency: {group: g}\ndefaults: {timeout_sec: 1h}", ""),
        (
            "concurrency: {group: g}\nfinally: [{id: z, command: [x], timeout_sec: 1}]",
            "no-time-limit {",
        ),
        ("concurrency: {group: g}\nallow_warnings: [no-time-limit]", ""),
    ],
)
def test_a_run_that_could_keep_its_group(tmp_path: Path, more: str, found: str) -> None:
    """A flow whose runs exclude each other, and a step without any time limit (rule 10.7)."""
    assert warned(tmp_path, A, more=more) == found.splitlines()


def test_to_allow_a_warning_changes_nothing() -> None:
    """A run goes on with a file that allows more (rules 4.4 and 11.2)."""
    text = "{flow_id: f, steps: [{id: a, command: [x]}]}"
    more = (
        "{flow_id: f, allow_warnings: [no-effect], "
        "steps: [{id: a, command: [x], allow_warnings: [never-runs]}]}"
    )
    assert differences(parse_flow(text), parse_flow(more)) == ()


def test_of_a_list_that_may_change_nothing_is_taken_for_granted(tmp_path: Path) -> None:
    """An empty file of lines makes `A` false and `A.skipped` true today, but not always (10.3)."""
    for values in ([], ["1"]):
        text = (
            "{flow_id: f, steps: [{foreach: {V: {lines: l}}, steps: [{id: a, command: [x]}]}, "
            "{id: b, when: a, command: [x]}, {id: c, when: a || a.skipped, command: [x]}]}"
        )
        (tmp_path / "flow.yaml").write_text(text, encoding="utf-8")
        read = read_flow(tmp_path / "flow.yaml", read_list=lambda *_, values=values: values)
        found = [(one.code, one.path) for one in find_warnings(read).warnings]
        assert found == ([] if values else [("empty-list", "steps[0].foreach.V")])


@pytest.mark.parametrize(
    ("foreach", "path", "check"),
    [
        ("{V: {glob: '*'}}", "steps[0].foreach.V", "check the path"),
        ("{V: {split: '${{ S }}', at: ','}}", "steps[0].foreach.V", "check the parameters"),
    ],
)
def test_a_list_without_values(tmp_path: Path, foreach: str, path: str, check: str) -> None:
    """That a step has no copies now is said where its list stands (rules 10.3 and 11.2)."""
    text = (
        f"{{flow_id: f, params: {{S: ''}}, steps: [{{foreach: {foreach}, id: a, command: [x]}}]}}"
    )
    (tmp_path / "flow.yaml").write_text(text, encoding="utf-8")
    read = read_flow(tmp_path / "flow.yaml", read_list=lambda *_: [])
    (found,) = find_warnings(read).warnings
    assert (found.code, found.path) == ("empty-list", path)
    assert check in found.message
    full = read_flow(tmp_path / "flow.yaml", read_list=lambda *_: ["p"], params={"S": "p"})
    assert find_warnings(full).warnings == ()


def test_finally_finds_what_a_cancel_leaves(tmp_path: Path) -> None:
    """There a step may be CANCELLED, and what waits for it is then too; or `run()` asked (10.1)."""
    last = "\nfinally:\n- {id: z, when: WHEN, command: [mail]}"
    for when, found in (
        ("a.cancelled && b.failed", ["never-runs"]),
        ("b.cancelled && a.failed", []),
        ("!a", ["unhandled-failure"]),
        ("run(failed)", []),
        ("run(timed_out)", ["never-runs"]),  # the flow has no timeout_sec
        ("run(succeeded) || run(failed) || run(cancelled)", ["always-true"]),
    ):
        said = warned(tmp_path, A, B + last.replace("WHEN", when))
        assert [one.split()[0] for one in said] == found, when


@pytest.mark.parametrize(
    ("steps", "finally_", "found"),
    [
        ([A], ["{id: z, when: any(failed), command: [mail]}"], []),
        ([MIRROR], ["{id: z, when: any(failed), command: [mail]}"], ["inexact-alert"]),
        ([MIRROR], ["{id: z, when: run(failed), command: [mail]}"], ["never-runs"]),
        ([A, MIRROR], ["{id: z, when: any(failed), depends_on: [a], command: [mail]}"], []),
        (
            [A],
            ["{id: y, command: [x]}", "{id: z, when: any(failed), command: [mail]}"],
            ["inexact-alert"],
        ),
        (
            [A],
            [
                "{id: x, command: [x], allow_failure: true}",
                "{id: y, command: [x], when: run(succeeded)}",
                "{id: z, when: any(failed), command: [mail]}",
            ],
            [],
        ),
        (
            ["{id: run, command: [x]}"],
            ["{id: z, when: run(failed), command: [x]}"],
            ["step-named-run"],
        ),
    ],
)
def test_alerts_in_finally(
    tmp_path: Path, steps: list[str], finally_: list[str], found: list[str]
) -> None:
    """An alert that differs from the outcome of the run, and a step beside `run()` (11.2)."""
    last = "\nfinally:\n" + "\n".join(f"- {step}" for step in finally_)
    said = warned(tmp_path, *steps[:-1], steps[-1] + last)
    assert [one.split()[0] for one in said] == found


@pytest.mark.heavy
@pytest.mark.parametrize("entangled", [False, True])
def test_large_flows_are_answered(entangled: bool) -> None:
    """Of 2,000 steps all is proven, or the budget ends and nothing is said (rule 11.2)."""
    steps = ["{id: s0, command: [x]}", "{id: s1, command: [x]}"]
    for number in range(2, 2000):
        far, near = (number * 7919) % (number - 1), number - 1
        when = f"s{near}.failed || !s{far}" if entangled else f"s{near}"
        steps.append(f"{{id: s{number}, when: '{when}', command: [x]}}")
    flow = parse_flow("flow_id: f\nsteps:\n" + "\n".join(f"- {step}" for step in steps))
    proofs = Proofs(flow)
    assert (proofs.never_run, proofs.always_true, proofs.no_effect) == ((), (), ())
    assert proofs.unhandled_failure is None
    assert proofs.are_complete is not entangled


HOSTILE = [
    f"{{id: b, when: {'(' * 2000}a{')' * 2000}, command: [x]}}",
    f"{{id: b, when: '{' && '.join(['a', '!a.failed'] * 2000)}', command: [x]}}",
    f"{{id: b, when: '{' || '.join(['(a && !a.skipped)'] * 2000)}', command: [x]}}",
    f"{{id: b, command: [{', '.join(['x', '-a', 'grep'] * 20_000)}]}}",
    f"{{id: b, command: [{', '.join(['sh', '-c'] * 30_000)}, x]}}",
    f"{{id: b, command: [x, '{'${A:' * 20_000}', '{'$(a' * 20_000}', '{'`date ' * 10_000}']}}",
    f"{{id: b, command: [ls, '{'{,' * 30_000}', '{'*' * 90_000}', '{'a' * 90_000}']}}",
    f"{{id: b, script: '{'${{ ' * 30_000}'}}",
    *(
        f"{{id: b, command: [sh, -c, '{part * (32_000 // len(part))}']}}"
        for part in ("`", "a|", "<<a\n\n", '"', "\\", "> ", "[[ ", "$((")
    ),
]


@pytest.mark.heavy
@pytest.mark.parametrize("step", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_takes_seconds_at_most(tmp_path: Path, step: str) -> None:
    """Nothing in a file makes the look for warnings hang or fail (rules 2.8 and 11.2)."""
    (tmp_path / "flow.yaml").write_text(f"flow_id: f\nsteps:\n- {A}\n- {step}", encoding="utf-8")
    read = read_flow(tmp_path / "flow.yaml")
    begin = time.process_time()
    find_warnings(read)
    assert time.process_time() - begin < 20


def test_many_copies_and_many_warnings(tmp_path: Path) -> None:
    """Thousands of copies are one step to warn of, and hundreds of steps are hundreds."""
    copies = ", ".join(map(str, range(1999)))
    block = (
        f"{{foreach: {{V: [{copies}]}}, steps: [{A}, {{id: b, when: a.skipped, command: [x]}}]}}"
    )
    begin = time.process_time()
    assert warned(tmp_path, block, "{id: c, when: a.failed, command: [ls, ~]}") == [
        "never-runs a.skipped",
        "shell-syntax ~",
    ]
    steps = [f"{{id: s{number}, when: a && !a, command: [ls, ~]}}" for number in range(500)]
    assert len(warned(tmp_path, A, *steps)) == 1000
    assert time.process_time() - begin < 60


def test_many_names_in_many_words(tmp_path: Path) -> None:
    """Each word is searched once, however many names a flow has."""
    names = [f"P{number}" for number in range(600)]
    steps = [f"{{id: s{name}, command: [x, '{{{{ {name} }}}}']}}" for name in names]
    params = ", ".join(f"{name}: x" for name in names)
    begin = time.process_time()
    found = warned(tmp_path, *steps, more=f"params: {{{params}}}")
    assert len(found) == len(names)
    assert time.process_time() - begin < 20


def test_a_script_in_a_shell_that_is_not_there(tmp_path: Path) -> None:
    """What runs a script is a program too; the whole step is the place (rules 10.4 and 11.2)."""
    step = "{id: a, shell: [nosuch, -c], script: 'x | y > $HOME/z'}"
    (tmp_path / "flow.yaml").write_text(f"flow_id: f\nsteps:\n- {step}", encoding="utf-8")
    read = read_flow(tmp_path / "flow.yaml")
    (warning,) = find_warnings(read, lambda _flow, _step, words: words[0] == "nosuch").warnings
    assert (warning.code, warning.path) == ("no-such-program", "steps[0]")


@pytest.mark.parametrize(
    ("is_inside", "step", "advice"),
    [
        (False, "when: b || b.skipped", "ask for passed: b.passed is true only if b succeeded"),
        (False, "when: b@m.skipped", "ask for passed: b@m.passed is true only if b@m succeeded"),
        (False, "when: any(d)", "to go on after such a failure, ask for .passed"),
        (True, "when: d", "to go on after such a failure, ask for .passed"),
    ],
)
def test_advice_works_where_it_is_given(
    tmp_path: Path, step: str, advice: str, *, is_inside: bool
) -> None:
    """It names steps as the condition can: inside of a foreach, not by a copy (rule 11.2)."""
    name = "" if "id:" in step else "id: c, "
    text = f"""flow_id: f
steps:
- foreach: {{N: [m, n]}}
  steps:
  - {{id: a, command: [x]}}
  - {{id: b, when: a, only_if: [x], command: [x]}}
  - {{id: d, when: a, command: [x], allow_failure: true}}
{"  " if is_inside else ""}- {{{name}{step}, command: [x]}}
"""
    (tmp_path / "flow.yaml").write_text(text, encoding="utf-8")
    (found,) = find_warnings(read_flow(tmp_path / "flow.yaml")).warnings
    assert found.help is not None
    assert found.help.startswith(advice)
