"""Rule 10.4: `<<` merges mappings as YAML 1.1 defines it, and mistakes are shown."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from flow_spec import parse_flow
from flow_spec.documents.tree import MappingNode, Node, ScalarNode
from flow_spec.documents.yaml_document import read_yaml

type Complaints = Callable[..., list[str]]

BASES = """\
flow_id: f
x-one: &one {command: [one], retries: 1, when: !Z, env: {A: 1}}
x-two: &two {command: [two], retries: 2, timeout_sec: 2}
x-three: &three {<<: *two, retries: 3}
x-list: &list [*one, *two]
steps:
- {id: Z, command: [z]}
"""


def test_every_mapping_can_merge() -> None:
    """Variables and the flow itself merge as steps do; a block may do it too (rule 10.4)."""
    flow = parse_flow(
        "x-env: &env {A: 1, B: 1}\nx-flow: &flow {flow_id: f, max_parallel: 2}\n<<: *flow\n"
        "env:\n  <<: *env\n  B: 2\nsteps: [{id: A, command: [x], env: {<<: *env}}]"
    )
    assert (flow.flow_id, flow.max_parallel) == ("f", 2)
    assert flow.env == (("A", "1"), ("B", "2"))
    assert flow.steps[0].env == (("A", "1"), ("B", "1"))


VALUE = 'must be a mapping, such as the alias in "<<: *base", or a list of these, got '
TWICE = 'duplicate key; merge several mappings by one list: "<<: [*first, *second]"'
WRONG = [
    ("{id: A, command: [x], <<: text}", [f'8:29: steps[1]["<<"]: {VALUE}"text"']),
    ("{id: A, command: [x], <<: [[*one]]}", [f'8:30: steps[1]["<<"]: {VALUE}a list']),
    ("{id: A, <<: *one, <<: *two}", [f'8:21: steps[1]["<<"]: {TWICE}']),
    (
        "{id: A, command: [x], '<<': *one}",
        ['8:25: steps[1]["<<"]: unknown key; `orchesjob-flow help'],
    ),
    (
        "{id: A, <<: {comand: [x], retries: many}}",
        [
            '8:16: steps[1].comand: unknown key; did you mean "command"?',
            '8:38: steps[1].retries: must be an integer >= 0, got "many"',
        ],
    ),
    ("{id: A, <<: {id: B, command: [x], <<: 5}}", [f'8:41: steps[1]["<<"]: {VALUE}"5"']),
]


@pytest.mark.parametrize(("step", "starts"), WRONG)
def test_mistakes_are_shown_where_they_stand(
    complaints: Complaints, step: str, starts: list[str]
) -> None:
    """What cannot be merged, and what is wrong in a merged mapping, is an error (rule 10.4)."""
    lines = complaints(f"{BASES}- {step}")
    assert len(lines) == len(starts)
    for line, start in zip(lines, starts, strict=True):
        assert line.removeprefix("f:").startswith(start)


def test_in_json_it_is_a_key_like_any_other(complaints: Complaints) -> None:
    """Only YAML has merge keys (rule 10.4)."""
    text = '{"flow_id": "f", "steps": [{"id": "A", "<<": {"command": ["x"]}, "command": ["y"]}]}'
    (line,) = complaints(text, "json")
    assert line.startswith('f:1:40: steps[0]["<<"]: unknown key')


def chain(levels: int) -> str:
    """Return mappings that each merge the one before twice, as a bomb would."""
    lines = ["x-0: &a0 {k0: v}"]
    lines += [f"x-{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], k{n}: v}}" for n in range(1, levels)]
    return "\n".join(["flow_id: f", *lines])


HOSTILE = [
    (chain(60), "more than 200,000 values"),
    ("flow_id: f\nx-a: &a {<<: *a}", "the alias *a refers to a value that contains it"),
    ("{<<: " * 2000 + "x", "nested more than 100 levels deep"),
]


@pytest.mark.parametrize(("text", "message"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_bomb_of_merge_keys_is_refused_at_once(
    complaints: Complaints, text: str, message: str
) -> None:
    """What is merged counts as written out (rules 2.8 and 10.4)."""
    assert message in complaints(text)[0]


def test_many_merged_mappings_cost_little() -> None:
    """Merging is linear in what is merged and in what is there (rule 2.8)."""
    own = ", ".join(f"k{n}: v" for n in range(20_000))
    begun = time.process_time()
    read_yaml(f"a: &a {{}}\nb: {{{own}, <<: [{'*a, ' * 20_000}]}}")
    assert time.process_time() - begun < 10  # a tenth of it, where nothing is quadratic


KEYS = st.sampled_from(["a", "b", "c", "d"])
ENTRIES = st.dictionaries(KEYS, st.integers(0, 99), max_size=3)


def data(node: Node) -> Any:
    if isinstance(node, MappingNode):
        return {name: data(value) for name, value in node.texts()}
    assert isinstance(node, ScalarNode)
    return int(node.text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(ENTRIES, st.lists(st.integers(0, 9), max_size=3)), max_size=6))
def test_it_merges_as_other_readers_of_yaml_do(mappings: list[tuple[dict[str, int], Any]]) -> None:
    """Another reader of YAML makes the same of any file (rule 10.4)."""
    lines = ["top: {}"]
    for number, (own, named) in enumerate(mappings):
        bases = [f"*m{index % number}" for index in named] if number else []
        value = bases[0] if len(bases) == 1 else f"[{', '.join(bases)}]"
        merge = [f"<<: {value}"] if bases else []
        entries = [f"{key}: {value}" for key, value in own.items()]
        lines.append(f"m{number}: &m{number} {{{', '.join(entries[:1] + merge + entries[1:])}}}")
    text = "\n".join(lines)
    # Not PyYAML: of a key that a merged mapping itself overrides, it takes the old value.
    assert data(read_yaml(text)) == YAML(typ="safe", pure=True).load(text)
