"""Advice that depends on the rest of the file: the order of steps, their names, the file's name.

Only a file with a mistake imports this module.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import attrs

from flow_spec.documents.tree import MappingNode, Node, ScalarNode, SequenceNode, node_at
from flow_spec.errors import Problem
from flow_spec.fields.conversions import (
    LONGEST_ADVICE,
    as_flow_style,
    as_yaml,
    id_for,
    in_shell,
    is_compose,
    line_of,
    member_of,
    runs_of_compose,
    texts_of,
)

_MOST_PROBLEMS = 200
"""Of more problems nobody reads the advice."""


def revised(
    problems: Sequence[Problem], root: Node | None, source: str, text: str
) -> Sequence[Problem]:
    """Return problems whose advice agrees with each other and with the rest of the file."""
    if len(problems) > _MOST_PROBLEMS:
        return problems
    if Path(source).stem.endswith(".test") and problems[0].fact.startswith("the file is empty"):
        remedy = "write cases: [{name: all is well, expect: {run: SUCCEEDED}}]"
        fact = "the file is empty: a file of cases has cases"
        return [attrs.evolve(problems[0], message=f"{fact}; {remedy}", help=remedy)]
    if is_compose(root):
        return [_of_compose(problems, root, source)]
    steps = _Steps(root)
    changed = [_with_help(one, _named(_in_full(help_of(one), text), source)) for one in problems]
    if root is not None:
        declared = node_at(root, ("params",))
        changed = [_with_help(one, _declared(help_of(one), declared)) for one in changed]
    changed = _merged(steps.joined([_with_help(one, steps.revised(one)) for one in changed]))
    return changed if root is None else [_at_key(one, root) for one in changed]


def _of_compose(problems: Sequence[Problem], root: Node | None, source: str) -> Problem:
    """Say that a file belongs to Compose, and how a flow file beside it runs its services."""
    file = Path(source).name
    runs = runs_of_compose(member_of(root, "services"), as_yaml(file))
    fact, name = "this is a Compose file", id_for(Path(source).stem) or "shop"
    if len(runs) > LONGEST_ADVICE:
        runs = f"steps: [{{id: up, command: [docker, compose, -f, {file}, up, -d, --wait]}}]"
    remedy = f"keep it for Compose, and write beside it a flow file {{flow_id: {name}, {runs}}}"
    services = next((one for one in problems if one.path == "services"), problems[0])
    return attrs.evolve(services, path=None, message=f"{fact}; {remedy}", help=remedy)


def help_of(problem: Problem) -> str:
    """Return the remedy of a problem, or empty text."""
    return problem.help or ""


def _with_help(problem: Problem, remedy: str) -> Problem:
    if not problem.help or remedy == problem.help:
        return problem
    return attrs.evolve(problem, message=f"{problem.fact}; {remedy}", help=remedy)


def _named(remedy: str, source: str) -> str:
    """Name the flow like its file."""
    name = id_for(Path(source).stem)
    if Path(source).suffix and name is not None:
        remedy = remedy.replace("flow_id: NAME", f"flow_id: {name}")
        path = Path(source) if ".git/" in remedy else Path(source).absolute()
        file = path.name if "cd FLOW_DIR" in remedy else str(path)
        remedy = remedy.replace("FLOW_FILE", as_yaml(file))
        remedy = remedy.replace("FLOW_DIR", as_yaml(str(path.parent)))
    return remedy


_RULE = re.compile(
    r"^([\w./-]+)(?: [\w ]+)?:(?!=)([^=\n]*)(?:\n((?:[ \t]+\S.*(?:\n|$))+))?", re.MULTILINE
)
_NEED = re.compile(r"[\w./-]+")
_DAG = re.compile(
    r"\bDAG\(\s*(?:dag_id\s*=\s*)?[\"'](\w+)[\"']"
    r"(?:[^()]*\bschedule(?:_interval)?\s*=\s*[\"'](@[a-z]+|[\d*/, -]+)[\"'])?"
)
_SET = re.compile(r"^(\w+) *:?= *[\"']?([\w./ -]+?)[\"']? *$", re.MULTILINE)
_NO_STEP = "[{id: build, command: [make, build]}]"


def _in_full(remedy: str, text: str) -> str:
    """Write the rules of a Makefile, and what a DAG has, in place of examples."""
    remedy = remedy.replace("working_dir: '~/", f"working_dir: '{Path.home()}/")
    if "RUN_DIR/values.env" in remedy:  # as GITHUB_OUTPUT
        remedy += ", and env_file: '${{ RUN_DIR }}/values.env' in the steps that need the values"
    if "DAG(" in text and (dag := _DAG.search(text)):
        remedy = f"write flow_id: {dag[1]}, and steps: with an item for each task of the DAG"
        if dag[2]:
            remedy += f"; add to the crontab: {dag[2]} cd FLOW_DIR && orchesjob-flow run FLOW_FILE"
    steps, left = _rules_in(text) if _NO_STEP in remedy else ([], [])
    spelled = f"[{', '.join(steps)}]"
    if steps and len(spelled) <= LONGEST_ADVICE:
        sets = {name: value for name, value in _SET.findall(text) if f"${name}" in spelled}
        env = f"env: {as_flow_style(sets)}, and " if sets else ""
        remedy = remedy.replace(f"steps: {_NO_STEP}", f"{env}steps: {spelled}")
        remedy += f"; left out: {', '.join(left)}" if left else ""
    return remedy


def _rules_in(text: str) -> tuple[list[str], list[str]]:
    """Spell the first rule of a Makefile and what it needs as steps; name what else it has."""
    found = _RULE.findall(text)
    rules = {target: (_NEED.findall(needs), recipe) for target, needs, recipe in found}
    wanted = dict.fromkeys([*rules][:1])
    for target in (waiting := [*wanted]):
        new = [name for name in rules[target][0] if name in rules and name not in wanted]
        wanted |= dict.fromkeys(new)
        waiting += new
    steps = []
    for target in (target for target in rules if target in wanted and rules[target][1]):
        needs, recipe = rules[target]
        waits = ", ".join(str(id_for(name)) for name in needs if name in rules and rules[name][1])
        lines = " && ".join(line.strip().lstrip("@-") for line in recipe.splitlines())
        lines = re.sub(r"(?:\$[({]|\{\{)(\w+)(?:\}\}|[)}])", r"$\1", lines.replace("$$", "$"))
        lines = lines.replace("$@", target).replace("$<", (needs or [""])[0])
        after = f", depends_on: [{waits}]" if waits else ""
        steps.append(f"{{id: {id_for(target)}{after}, script: {as_yaml(lines)}}}")
    left = [name for name in rules if name not in wanted and rules[name][1]]
    return steps, [*left, *re.findall(r"^set ([\w-]+)", text, re.MULTILINE)]


_PARAM = re.compile(r", and params: \{(\w+): (?:'[^']*'|\{\})\} beside steps:")


def _declared(remedy: str, params: Node | None) -> str:
    """Leave out a parameter that the flow has."""
    found = _PARAM.search(remedy)
    is_there = found is not None and node_at(params, (found[1],)) is not None
    return _PARAM.sub("", remedy) if is_there else remedy


_WRITTEN = re.compile(
    r"write (command|script|finally|env|params): (\[.*\]|\{.*\}|'(?:[^']|'')*'|[^\s,;]+)"
)


def _merged(problems: Sequence[Problem]) -> list[Problem]:
    """Return problems so that no two remedies write the same key of a record."""
    changed, places = [*problems], dict[tuple[str, str], int]()
    for place, problem in enumerate(problems):
        found = _WRITTEN.fullmatch(help_of(problem))
        record = str(problem.path).rpartition(".")[0]
        at = place if found is None else places.setdefault((record, found[1]), place)
        if found is None or at == place:
            continue
        one, two = help_of(changed[at]).partition(": ")[2], found[2]
        short, both = sorted((one.strip("'"), two.strip("'")), key=len)
        if one != two and two[0] in "[{" and found[1] != "command":
            both = f"{one[:-1]}, {two[1:]}"
        elif not both.endswith(short):
            continue
        changed[at] = _with_help(changed[at], f"write {found[1]}: {max(one, two, both, key=len)}")
        changed[place] = _with_help(problem, f"remove it: {found[1]}: (above) contains it")
    return changed


_PATH_PART = re.compile(r"\.?([\w-]+)|\[([0-9]+)\]")


def _at_key(problem: Problem, root: Node) -> Problem:
    """Point at the key if its value begins on a line below it; do not leave a mapping empty."""
    if not problem.path:
        return problem
    parts = [
        name or int(index) for name, index in _PATH_PART.findall(problem.path) if name or index
    ]
    parent = node_at(root, tuple(parts[:-1]))
    if not isinstance(parent, MappingNode):
        return problem
    if len(parent.entries) == 1 and parts[-2:-1] in (["env"], ["defaults"], ["concurrency"]):
        remedy = re.sub(r"^remove it(:|(?=, and))", f"remove {parts[-2]}:", help_of(problem))
        problem = _with_help(problem, remedy)
    if not problem.fact.startswith(("must be", "a foreach has")):
        return problem
    key = next(
        (key for key, _ in parent.entries if isinstance(key, ScalarNode) and key.text == parts[-1]),
        None,
    )
    if key is None or key.line is None or problem.line is None or key.line >= problem.line:
        return problem
    return attrs.evolve(problem, line=key.line, column=key.column)


_ORDERS = (
    *("dependson", "depends", "needs", "deps", "dependencies", "when", "after", "requires"),
    *("foreach", "parallel", "triggerrule", "runafter"),
)
_STEP = re.compile(r"steps\[([0-9]+)\](?:\.(.*))?")
_IDS = re.compile(r"depends_on: \[([^\]]*)\]")


class _Steps:
    """The steps of a file, with the names that they will have."""

    def __init__(self, root: Node | None) -> None:
        found = node_at(root, ("steps",))
        self._items: Sequence[Node] = found.items if isinstance(found, SequenceNode) else []
        self._names = [_name_of(item) for item in self._items[:_MOST_PROBLEMS]]
        self._are_listed = len(self._names) == len(self._items) and not any(
            member_of(item, *_ORDERS) is not None for item in self._items
        )

    def revised(self, problem: Problem) -> str:
        """Return the remedy of a problem with the names of steps."""
        remedy, found = help_of(problem), _STEP.match(problem.path or "")
        if problem.path is not None and problem.path.startswith("env."):
            return self._set_in_script(remedy)
        if found is None or int(found[1]) >= len(self._names):
            return remedy
        place = int(found[1])
        item, before = self._items[place], self._name_before(place)
        if _goes(item) and found[2] != "uses":
            return "remove it with the step: a flow runs where its files are"
        if before is None:
            return remedy.replace("depends_on: [ID]", "depends_on: [NAME]")
        is_foreign = member_of(item, "id") is None and self._are_listed
        if is_foreign and not found[2]:
            remedy = re.sub(
                r"^write \{id: ([\w-]+),", rf"write {{id: \1, depends_on: [{before}],", remedy
            )
        elif is_foreign and remedy.startswith("write id: "):
            remedy = f"{remedy}, and depends_on: [{before}]"
        return remedy.replace("depends_on: [ID]", f"depends_on: [{before}]")

    def _name_before(self, place: int) -> str | None:
        earlier = zip(self._names[:place], self._items, strict=False)
        return next(reversed([n for n, item in earlier if n and not _goes(item)]), None)

    def _set_in_script(self, remedy: str) -> str:
        """Return how to set a variable in the command of the only step."""
        found = re.fullmatch(r"remove it, and set it in the script: export (.*)", remedy)
        command = member_of(self._items[0], "command") if len(self._items) == 1 else None
        line = line_of(command) if isinstance(command, SequenceNode) else None
        if found is None or not line:
            return remedy
        script = as_yaml(f"{found[1]} {line}")
        return (
            f"remove it, and write script: {script} in place of command: in step {self._names[0]}"
        )

    def joined(self, problems: Iterable[Problem]) -> Sequence[Problem]:
        """Return problems of which those about one command have one remedy."""
        gone = {name for name, item in zip(self._names, self._items, strict=False) if _goes(item)}
        seen: set[int] = set()
        changed = []
        for problem in problems:
            remedy, found = help_of(problem), _STEP.match(problem.path or "")
            if gone and (ids := _IDS.search(remedy)):
                remedy = _without(remedy, ids, gone)
            is_word = found is not None and str(found[2]).startswith("command[")
            if found is not None and is_word and re.search(r"^let step|write script: with", remedy):
                place = int(found[1])
                script = self._as_script(place)
                if script is not None:
                    again = "remove it: script: (above) replaces command:"
                    remedy = again if place in seen else script
                    seen.add(place)
            changed.append(_with_help(problem, remedy))
        return changed

    def _as_script(self, place: int) -> str | None:
        """Return how to write a command with variables of other systems as a script."""
        words = texts_of(member_of(self._items[place], "command")) or []
        line = " ".join(map(in_shell, words))
        if "${{" in line or len(line) > LONGEST_ADVICE:
            return None
        secrets = dict.fromkeys(re.findall(r"\{\{\s*secrets\.(\w+)", " ".join(words)))
        fix = f"write script: {as_yaml(line)} in place of command:"
        if secrets:
            lines = " and ".join(f"{name}=VALUE" for name in secrets)
            fix += f", and env_file: secrets.env, a file with {lines}"
        pattern = r"\{\{\s*\w+\.([\w-]+)\.outputs?\.(?:\w+\.)?([\w-]+)"
        asked = re.findall(pattern, " ".join(words))
        for name, output in dict.fromkeys(asked):
            script = as_yaml(self._writing(name, output))
            fix += f", and in step {name} write script: {script} in place of command:"
        return fix

    def _writing(self, name: str, output: str) -> str:
        """Return the script of a step that writes its output to a file."""
        known: Mapping[str | None, Node] = dict(zip(self._names, self._items, strict=False))
        runs = member_of(known.get(name), "command", "script")
        line = line_of(runs) if runs is not None else None
        return f'{line or "TEXT"} > "$ORCHESJOB_FLOW_RUN_DIR/{output}"'


def _name_of(item: Node) -> str | None:
    """Return the id that a step has, or that is advised."""
    if isinstance(item, ScalarNode):
        return id_for(" ".join(item.text.split()[:2]))
    own = member_of(item, "id") or member_of(item, "name", "stepname", "taskid", "label")
    return id_for(own.text) if isinstance(own, ScalarNode) else None


def _goes(item: Node) -> bool:
    """Whether a step only fetches what is here already."""
    action = member_of(item, "uses")
    return isinstance(action, ScalarNode) and action.text.startswith("actions/checkout")


def _without(remedy: str, ids: "re.Match[str]", gone: Iterable[str | None]) -> str:
    """Leave out the steps that go."""
    names = ids[1].split(", ")
    left = [name for name in names if name not in {*gone}]
    if left or len(names) > 1:
        return remedy.replace(ids[0], f"depends_on: [{', '.join(left)}]")
    return f"remove it: step {names[0]} goes away too"
