"""`graph`: a flow, or a run, drawn in the order in which its steps can run (rule 9.3)."""

import re
from typing import Any

import yaml

from support.flow import Flow

STEPS: list[dict[str, Any]] = [
    {"id": "last", "command": ["true"], "when": "!b.failed && (a || b)", "depends_on": ["c"]},
    {"id": "a", "command": ["true"]},
    {"id": "b", "command": ["false"], "when": "a"},
    {"id": "c", "command": ["true"]},
]


def test_a_step_with_the_name_of_a_predicate(flow: Flow) -> None:
    """A predicate in a condition is not taken for the step of that name, which is waited for."""
    steps: list[dict[str, Any]] = [
        {"id": "a", "command": ["true"]},
        {"id": "failed", "command": ["true"]},
        {"id": "b", "command": ["true"], "when": "a.failed", "depends_on": ["failed"]},
    ]
    assert flow.run("graph", flow.write(*steps)).stdout.endswith("when a.failed  failed\n")


def test_mermaid(flow: Flow) -> None:
    """Mermaid: nodes, edges and colours; no part of a condition is read as Mermaid's syntax."""
    flow.start("k", flow.write(*STEPS), code=1)
    lines = flow.run("graph", "--run-key=k", "--format=mermaid").stdout.splitlines()
    assert lines[0] == "flowchart TD"
    assert '    s0["last<br/>SKIPPED<br/>when !b.failed #amp;#amp; (a || b)"]' in lines
    edges = {line.strip() for line in lines if "-->" in line}
    assert edges == {"s3 --> s0", "s2 --> s0", "s1 --> s0", "s1 --> s2"}
    assert "    class s2 FAILED" in lines


def test_description(flow: Flow) -> None:
    """What the flow is for stands above the steps in every format (rule 10.9)."""
    about = 'Gets "it"\n  %%{init}%% <b>'
    file = flow.write(*STEPS, description=f"{about}\n")
    flow.start("k", file, code=1)
    for words in ([file], ["--run-key=k"]):
        text = flow.run("graph", *words).stdout
        assert text.startswith('Flow: f\nGets "it" %%{init}%% <b>\n\nRank')
        mermaid = flow.run("graph", "--format=mermaid", *words).stdout
        title = r'title: "Gets \"it\" \u0025\u0025{init}\u0025\u0025 <b>"'
        assert mermaid.startswith(f"---\n{title}\n---\nflowchart TD\n")
        assert yaml.safe_load(title) == {"title": 'Gets "it" %%{init}%% <b>'}
        dot = flow.run("graph", "--format=dot", *words).stdout
        label = r'label="Gets \"it\" %%{init}%% <b>"; labelloc="t"; fontname="sans-serif"'
        assert dot.splitlines()[1].strip() == label
    again = flow.write(*STEPS, description="Something else.")
    assert flow.run("start", "--run-key=k", again).returncode == 1  # that of the run: no difference
    long = flow.write(*STEPS, description="word " * 100)
    assert len(flow.run("graph", "--format=mermaid", long).stdout.splitlines()[1]) <= 130
    lines = flow.run("graph", "--format=dot", long).stdout.splitlines()[1]
    assert lines.count("word") == 100
    assert "word\\nword" in lines


def test_what_can_never_run(flow: Flow) -> None:
    """A step of a file that can never run is marked in every format (rule 11.2)."""
    steps = [*STEPS[1:2], {"id": "b", "command": ["true"], "when": "a && !a"}]
    file = flow.write(*steps)
    assert "2     b     never runs: when a && !a\n" in flow.run("graph", file).stdout
    mermaid = flow.run("graph", "--format=mermaid", file).stdout
    assert '    s1["b<br/>never runs<br/>when a #amp;#amp; !a"]\n' in mermaid
    dot = flow.run("graph", "--format=dot", file).stdout
    assert '"b" [label="b\\nnever runs\\nwhen a && !a", fillcolor="#eeeeee"]' in dot


def test_on_a_terminal(flow: Flow) -> None:
    """No line is wider than the terminal; a success chain has no bare "when" (rule 6.11)."""
    long = "a-step-with-a-very-long-name-that-makes-tables-wide"
    steps = [
        {"id": "a", "command": ["true"]},
        {"id": "b", "command": ["true"], "depends_on": ["a"]},
        {"id": long, "command": ["true"], "when": "a && b"},
    ]
    _, shown = flow.run_on_terminal("graph", flow.write(*steps), size=(40, 24), NO_COLOR="1")
    assert max(map(len, shown.splitlines())) <= 40
    assert re.search(r"b\s+after a\n", shown)
    assert long in "".join(shown.replace("when a && b", "").split())
    assert "when\n" not in shown
