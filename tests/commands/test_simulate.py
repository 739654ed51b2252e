"""`simulate`: a flow is played through the engine, and nothing is run or recorded (rule 11.3)."""

import json
import re
from collections.abc import Iterator
from itertools import batched
from random import Random
from typing import Any

import pytest

from flow_spec import load_flow
from orchesjob_flow.commands.simulate import simulated_json
from orchesjob_flow.simulation import Scenario, play
from support.answers import outcomes, warnings
from support.flow import Flow

OK, NG, SKIP, CANCELLED = "SUCCEEDED", "FAILED", "SKIPPED", "CANCELLED"
EVERYDAY, MANY, AT_ONCE = 4, 500, 4
SKIP_CODE = 9
TOUCH = ["sh", "-c", "echo > ran"]
STEPS: list[dict[str, Any]] = [
    {"id": "fetch", "command": TOUCH, "skip_exit_codes": [4]},
    {"id": "load", "command": TOUCH, "depends_on": ["fetch"], "retries": 1, "retry_delay_sec": 60},
    {"id": "report", "command": TOUCH, "depends_on": ["load"]},
    {"id": "alert", "command": TOUCH, "when": "load.failed"},
]


def test_nothing_is_run_or_recorded(flow: Flow) -> None:
    """No command, no database, no orchesjob: the home is not even made."""
    flow.environ["ORCHESJOB_BIN"] = "/nowhere"
    run = flow.ask("simulate", flow.write(*STEPS))
    assert outcomes(run) == {"fetch": OK, "load": OK, "report": OK, "alert": SKIP}
    assert not flow.home.exists()
    assert not (flow.folder / "ran").exists()


def test_json_is_that_of_status(flow: Flow) -> None:
    """The keys are those of `status` and one more; what only a real run has is null."""
    file = flow.write(*STEPS, params={"DAY": {"default": "7"}})
    simulated = flow.ask("simulate", file, "--fail=load", "--param=DAY=8", code=1)
    real = flow.start("k", file)
    assert simulated.pop("simulated") is True
    assert list(simulated) == list(real)
    assert [list(step) for step in simulated["steps"]] == [list(step) for step in real["steps"]]
    load = simulated["steps"][1]
    assert list(load["attempts"][0]) == list(real["steps"][0]["attempts"][0])
    assert (simulated["run_key"], simulated["runner"], simulated["orchesjob_home"]) == (None,) * 3
    assert (load["run_key"], load["orchesjob_status"]) == (None, None)
    assert simulated["params"] == {"DAY": "8"}
    assert simulated["error"] == "1 step failed: load"
    assert [past["started_at"] for past in load["attempts"]] == [1, 62]
    assert simulated["finished_at"] == 64


def test_names_of_steps(flow: Flow) -> None:
    """`A` means all copies and `A@VALUE` one; an unknown one is answered with what was meant."""
    steps = [{"foreach": {"X": ["x", "y"]}, "steps": [{"id": "a", "command": TOUCH}]}]
    file = flow.write(*steps, {"id": "end", "command": TOUCH, "when": "a.finished"})
    one = flow.ask("simulate", file, "--fail=a@x", code=1)
    assert outcomes(one) == {"a@x": NG, "a@y": OK, "end": OK}
    both = flow.ask("simulate", file, "--fail=a", code=1)
    assert outcomes(both) == {"a@x": NG, "a@y": NG, "end": OK}
    error = flow.refusal("simulate", file, "--cancel-at=edn")["error"]
    assert error == 'flow "f" has no step "edn"; did you mean "end"?'


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--skip=load"], "step 'load' is never skipped once it runs: it has neither"),
        (["--skip=fetch", "--fail=fetch"], "step 'fetch' cannot both fail and be skipped"),
        (["--fail=often"], "step 'often' would be retried 2,001 times before it fails"),
        (["--cancel-at=load", "--cancel-at=fetch"], "is given 2 times; give one"),
        (["--param=DAY=7"], 'the flow has no parameter "DAY"'),
    ],
)
def test_refusals(flow: Flow, words: list[str], error: str) -> None:
    """What cannot happen in a run cannot be simulated."""
    often = {"id": "often", "command": TOUCH, "retries": 2001}
    assert error in flow.refusal("simulate", flow.write(*STEPS, often), *words)["error"]


def test_what_changes_nothing_is_said(flow: Flow) -> None:
    """A step that does not come to run can neither fail nor be cancelled."""
    file = flow.write(*STEPS)
    answer = flow.run("simulate", file, "--fail=alert", "--skip=fetch", "--cancel-at=report")
    assert outcomes(json.loads(answer.stdout)) == dict.fromkeys(
        ("fetch", "load", "report", "alert"), SKIP
    )
    assert warnings(answer.stderr) == [
        "orchesjob-flow: --fail alert has no effect: alert never ends by itself",
        "orchesjob-flow: --cancel-at report has no effect: report never begins",
    ]


def test_all_endings(flow: Flow) -> None:
    """Each has the options that show it; what is named is so in all of them; the exit code is 0."""
    file = flow.write(*STEPS)
    found = flow.ask("simulate", file, "--all", "--fail=load")
    assert (found["flow_id"], found["params"], found["simulated"]) == ("f", {}, True)
    assert (found["total"], found["complete"]) == (4, True)
    assert found["endings"][1] == {
        "status": NG,
        "options": ["--fail=fetch"],
        "steps": {"fetch": NG, "load": SKIP, "report": SKIP, "alert": SKIP},
    }
    for ending in found["endings"]:
        run = flow.ask("simulate", file, *ending["options"], code=int(ending["status"] != OK))
        assert (run["status"], outcomes(run)) == (ending["status"], ending["steps"])
    cancelled = flow.ask("simulate", file, "--all", "--cancel-at=report")["endings"]
    assert cancelled[0]["options"] == ["--cancel-at=report"]
    assert cancelled[0]["status"] == CANCELLED


def test_too_many_endings(flow: Flow) -> None:
    """Where there are too many to list, text and JSON say so."""
    many = flow.write(*({"id": f"s{number}", "command": TOUCH} for number in range(40)))
    shown = flow.run("simulate", many, "--all", "--format=table").stdout.splitlines()
    assert re.fullmatch("Endings: more than [0-9,]+", shown[1])
    found = flow.ask("simulate", many, "--all")
    assert (found["total"], found["complete"]) == (None, False)
    assert shown[-1].startswith("Shown are the 50 with the fewest steps")


def test_equals_a_run(flow: Flow) -> None:
    """Outcome for outcome, a generated flow ends as its simulation and its case say."""
    compare(flow, tuple(range(EVERYDAY)))


@pytest.mark.long
@pytest.mark.parametrize("seeds", list(batched(range(EVERYDAY, MANY), 20)))
def test_equals_many_runs(flow: Flow, seeds: tuple[int, ...]) -> None:
    """Outcome for outcome, hundreds of flows end as their simulations and cases say."""
    compare(flow, seeds)


def compare(flow: Flow, seeds: tuple[int, ...]) -> None:
    """Run, simulate and test the flows of some seeds, some of them at once."""
    cases = []
    for some in batched(seeds, AT_ONCE):
        calls = []
        for seed in some:
            content, wishes = generate(Random(seed))  # noqa: S311 - reproducible on purpose
            file = flow.write(*content.pop("steps"), name=f"{seed}.json", **content)
            words = ("start", f"--run-key={seed}", file)
            calls.append((seed, simulated(file, **wishes), flow.spawn(*words)))
        for seed, foreseen, running in calls:
            real = running.completed()
            assert real.returncode in {0, 1}, real
            run = json.loads(real.stdout)
            assert outline(foreseen) == outline(run), seed
            cases.append(write_case(flow, f"{seed}.json", run))
    found = flow.ask("test", *cases)
    assert (found["cases"], found["failed"]) == (len(seeds), 0), found


def write_case(flow: Flow, file: str, run: Any) -> str:
    ends = {step["id"]: step["status"] for step in run["steps"] if step["attempts"]}
    case = {
        "name": f"it is {run['status']}",
        "given": {name: end.lower() for name, end in ends.items() if end != OK},
        "expect": {**outcomes(run), "run": run["status"]},
    }
    (flow.folder / f"case-of-{file}").write_text(json.dumps({"flow": file, "cases": [case]}))
    return f"case-of-{file}"


def simulated(file: str, fail: list[str], skip: list[str]) -> Any:
    """Return the JSON that the command prints; a process for each would take longer than runs."""
    flow = load_flow(file)
    return simulated_json(play(flow, Scenario.of(flow, fail=fail, skip=skip)).run)


def outline(run: Any) -> Any:
    steps = [
        (
            *(step[key] for key in ("id", "status", "attempt_no", "error", "reason")),
            [(past["only_if"], past["status"], past["error"]) for past in step["attempts"]],
        )
        for step in run["steps"]
    ]
    return run["status"], run["error"], run["finally_after"], steps


type Wishes = dict[str, list[str]]


def generate(random: Random) -> tuple[dict[str, Any], Wishes]:
    """Make up a flow whose commands end as the options of a simulation say; return both."""
    names: list[str] = []
    wishes: Wishes = {"fail": [], "skip": []}
    steps = list(make_steps(random, "s", random.randint(2, 6), names, wishes))
    if random.random() < 0.3:
        block = list(make_steps(random, "c", random.randint(1, 2), names, wishes))
        steps.append({"foreach": {"X": ["x", "y"]}, "steps": block})
        steps += make_steps(random, "t", 1, names, wishes)
    content: dict[str, Any] = {"steps": steps}
    if random.random() < 0.4:
        content["finally"] = list(make_steps(random, "f", random.randint(1, 2), names, wishes))
    if random.random() < 0.3:
        content["max_parallel"] = random.randint(1, 2)
    return content, wishes


def make_steps(
    random: Random, letter: str, count: int, names: list[str], wishes: Wishes
) -> Iterator[dict[str, Any]]:
    """Make up some more steps, which may ask of all before."""
    for number in range(count):
        step_id = f"{letter}{number}"
        step: dict[str, Any] = {"id": step_id}
        if names:
            step["depends_on"] = random.sample(names, random.randint(0, min(2, len(names))))
            step |= {"when": condition(random, names)} if random.random() < 0.6 else {}
        gated, by_code = random.random() < 0.2, random.random() < 0.2
        ends = random.choice((OK, OK, NG, SKIP) if gated or by_code else (OK, OK, NG))
        if ends != OK:
            wishes["fail" if ends == NG else "skip"].append(step_id)
        code = {OK: 0, NG: 1, SKIP: SKIP_CODE}[ends]
        step["command"] = ["sh", "-c", f"exit {code}"]
        if gated:
            says_no = ends == SKIP and not by_code
            step["only_if"] = ["sh", "-c", f"exit {int(says_no)}"]
        if by_code:
            step["skip_exit_codes"] = [SKIP_CODE]
        if random.random() < 0.2:
            step["retries"] = 1
        if random.random() < 0.2:
            step["allow_failure"] = True
        yield step
        names.append(step_id)


def condition(random: Random, names: list[str]) -> str:
    parts = []
    for name in random.sample(names, random.randint(1, min(3, len(names)))):
        predicate = random.choice(("", "", ".failed", ".skipped", ".finished"))
        parts.append(f"{random.choice(('', '', '!'))}{name}{predicate}")
    return random.choice((" && ", " || ")).join(parts)
