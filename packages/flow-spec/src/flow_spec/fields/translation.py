"""What files of other systems say, and how a flow file says the same (rule 6.12).

`foreign_words.toml` has the words of other systems, with advice. Advice may hold placeholders such
as `<ids>`: each stands for the value in the file, spelled as our field needs it. So most advice is
a line that can be pasted. A conversion returns None where a value does not fit, and the next advice
of the entry is tried.

Only a file with a mistake imports this module.
"""

import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from flow_spec.documents.tree import Form, MappingNode, Node, ScalarNode, SequenceNode
from flow_spec.fields import conversions
from flow_spec.fields.conversions import (
    EXPRESSIONS,
    LONGEST_ADVICE,
    as_variables,
    as_yaml,
    codes_beside_0_of,
    command_of,
    folded,
    id_for,
    is_small,
    joined_of,
    lines_of,
    member_of,
    names_of,
    newer_of,
    params_of,
    script_of,
    spelling_of,
    text_of,
    texts_of,
    truth_for,
    variable_for,
)


@cache
def foreign_words() -> dict[str, Any]:
    """Return the words of other systems, by section of `foreign_words.toml`, which is read once."""
    return tomllib.loads(Path(__file__).with_name("foreign_words.toml").read_text("utf-8"))


class Meaning(NamedTuple):
    """What a key of another system means here.

    `field` is the field of ours that the key stands for, if there is one: that field is not missing
    then.
    """

    field: str | None
    advice: str


@cache
def _entries_by_word() -> Mapping[str, list[dict[str, Any]]]:
    """Return the entries about each word; the likeliest is first."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for entry in foreign_words()["field"]:
        for word in entry["words"].split():
            entries.setdefault(word, []).append(entry)
    return entries


_MOST_KEYS = 50
"""Advice looks at no more keys beside its own."""


def meaning_of(
    word: str, noun: str, known: Collection[str], given: Mapping[str, Node]
) -> Meaning | None:
    """Return what a key of another system means in a record, or None.

    `noun` names the record, `known` are its fields, and `given` all its keys with their values. A
    field that exists elsewhere is not advised: `name` is `id` in a step and `flow_id` in a flow.
    """
    beside = {folded(name): value for name, value in islice(given.items(), _MOST_KEYS)}
    beside |= {folded(word): given[word]} if word in given else {}
    for entry in _entries_by_word().get(folded(word), ()):
        field = entry.get("name")
        if field is not None and (field not in known or field in given):
            continue
        if noun not in entry.get("at", (noun,)) or not {*entry.get("beside", "").split()} <= {
            *beside
        }:
            continue
        for advice in entry["advice"]:
            sentence = _filled(advice, word, beside)
            if sentence is not None:
                own = beside.get("id")
                if isinstance(own, ScalarNode):
                    sentence = re.sub(r"\bID(?=[.,])", own.text.replace("\\", ""), sentence)
                return Meaning(field or entry.get("instead_of"), sentence)
    return _job(word, given.get(word), noun, given)


def _job(word: str, value: Node | None, noun: str, given: Mapping[str, Node]) -> Meaning | None:
    """Return what a key of the flow means that looks like a job of its own, as in GitLab CI.

    The first job has the advice about all of them.
    """
    if noun != "a flow" or "steps" in given or value is None or len(given) > _MOST_KEYS:
        return None
    if _is_alias(value, given):
        return Meaning("steps", "remove it: a run runs the other steps anyway")
    words = _entries_by_word()
    keys = [key for key in ("image", "before_script") if key in given]  # of all jobs
    once = [(ScalarNode(key, Form.BARE), given[key]) for key in keys]
    jobs = {
        name: MappingNode([*once, *job.entries]) if isinstance(job, MappingNode) else job
        for name, job in given.items()
        if folded(name) not in words and not _is_alias(job, given)
    }
    stages = texts_of(given.get("stages")) or []
    steps = {name: step_of(name, job, _earlier(job, stages, jobs)) for name, job in jobs.items()}
    found = [step for step in steps.values() if step is not None]
    step, spelled = steps.get(word), f"[{', '.join(found)}]"
    if not step:
        return None
    is_long = len(spelled) > LONGEST_ADVICE
    if step is found[0]:
        advice = (
            f"write steps: [{step}], with an item for each"
            if is_long
            else f"write steps: {spelled}"
        )
    else:
        advice = f"write in steps: {step}" if is_long else "remove it: steps: (above) contains it"
    return Meaning("steps", advice)


def _is_alias(job: Node, given: Collection[str]) -> bool:
    """Whether a recipe of just runs nothing but others."""
    words = job.text.split() if isinstance(job, ScalarNode) else []
    return bool(words) and {*words} <= {*given}


def _earlier(job: Node, stages: list[str], jobs: Mapping[str, Node]) -> list[str]:
    """Return the jobs of the stage before, which GitLab CI waits for."""
    stage = member_of(job, "stage")
    if not isinstance(stage, ScalarNode) or member_of(job, "needs") or stage.text not in stages:
        return []
    before = stages[: stages.index(stage.text)][-1:]
    return [name for name, one in jobs.items() if texts_of(member_of(one, "stage")) == before]


_PLACEHOLDER = re.compile(r"<(([a-z_0-9]+)(?:@([a-z]+))?)>")


def _filled(advice: str, word: str, beside: Mapping[str, Node]) -> str | None:
    """Return advice with values in place of its placeholders, or None if one does not fit.

    `<ids>` stands for the value of the word as `ids_of` spells it, and `<words@command>` for that
    of a key beside it.
    """
    advice = advice.replace("<word>", word)
    for whole, name, other in _PLACEHOLDER.findall(advice):
        value = beside.get(other or folded(word))
        spelled = None if value is None else CONVERSIONS[name](value)
        if spelled is None or len(spelled) > LONGEST_ADVICE:
            return None
        advice = advice.replace(f"<{whole}>", spelled)
    return advice


def with_id(meaning: Meaning, noun: str, given: Mapping[str, Node]) -> str:
    """Return advice on a key; the one about the steps of a flow also names a missing flow_id."""
    if noun != "a flow" or meaning.field != "steps" or "flow_id" in given:
        return meaning.advice
    known = ("flow_id", "steps")
    others = [meaning_of(name, noun, known, given) for name in islice(given, _MOST_KEYS)]
    jobs = (other for other in others if other and other.field == "steps")
    first = next((other for other in jobs if other.advice.startswith("write")), None)
    if first != meaning or any(other and other.field == "flow_id" for other in others):
        return meaning.advice
    return meaning.advice.replace("write ", "write flow_id: NAME, and ", 1)


def step_of(word: str, node: Node, after: Sequence[str] = ()) -> str | None:
    """Spell a job of another system as a step on one line; it may wait for steps."""
    if not is_small(node):
        return None
    name, script = id_for(word), script_of(node)
    inner = member_of(node, "container") or node
    image, command = member_of(inner, "image"), member_of(inner, "command")
    words = command_of(command) if command is not None else None
    if isinstance(image, ScalarNode) and (words or not script):
        words = words and (words[1:-1] or None)
        runs = f"command: [docker, run, --rm, {', '.join(filter(None, (image.text, words)))}]"
    elif isinstance(command, SequenceNode):
        runs = f"command: {spelling_of(command) or '[make, build]'}"
    elif script is not None:
        if script.startswith("|"):
            script = joined_of(node) or f"./{name}.sh"
        runs = f"script: {script}"
        if isinstance(image, ScalarNode):
            runs = f"command: [docker, run, --rm, -v, '.:/work', -w, /work, {image.text}, sh, -c, "
            runs += f"{script}]"
    else:
        runs = ""
    if name is None or not runs:
        return None
    needs = member_of(node, "needs", "depends", "dependson", "deps", "dependencies")
    names = after or (None if needs is None else names_of(needs))
    source, made = (member_of(node, *words) for words in (("deps", "sources"), _MADE))
    pair = [newer_of(one) for one in (source, made) if one is not None]
    gate = f", only_if: [test, {pair[0]}, -nt, {pair[1]}]" if len(pair) > 1 and all(pair) else ""
    waits = f", depends_on: [{', '.join(names)}]" if names and not gate else ""
    return f"{{id: {name}{waits}{gate}, {', '.join([*_more_of(node, runs + gate), runs])}}}"


_FIELD = re.compile(r"write (?P<name>\w+): (?P<value>[^;]*?)(?: in place of \w+:|, and .*)?")


def _more_of(node: Node, beside: str) -> list[str]:
    """Spell what else a job or the defaults of another system say, in fields of a step."""
    given = dict(node.texts()) if isinstance(node, MappingNode) and is_small(node) else {}
    known = _fields_of_a_step()
    found = {}
    for key in islice(given, _MOST_KEYS):
        meaning = None if key in known else meaning_of(key, "a step", known, given)
        field = _FIELD.fullmatch(meaning.advice) if meaning is not None else None
        if field is not None and field["name"] in _ALSO and f"{field['name']}: " not in beside:
            found[field["name"]] = field["value"]
        elif key in _ALSO and (spelled := spelling_of(given[key])):
            found[key] = spelled
    return [f"{name}: {value}" for name, value in found.items()]


_ALSO = frozenset({
    *("retries", "retry_delay_sec", "timeout_sec", "allow_failure", "success_exit_codes"),
    *("env", "env_file", "working_dir", "only_if", "when", "foreach"),
})  # fmt: skip


def _fields_of_a_step() -> list[str]:
    return f"{foreign_words()['places']['a step']} env env_file working_dir timeout_sec".split()


_MADE = ("outs", "generates")
"""The keys of the files that a step of DVC or Task makes."""


def steps_of(node: Node) -> str | None:
    """Spell jobs as a list of steps, or the first of them if they are many."""
    inner = member_of(node, "templates", "jobs", "tasks", "stages")
    node = inner if inner is not None else node
    if member_of(node, "id") is not None:
        spelled = spelling_of(node)
        return spelled and f"[{spelled}]"
    if isinstance(node, MappingNode):
        jobs = [(name, job) for name, job in node.texts() if not isinstance(job, ScalarNode)]
    else:
        items = node.items if isinstance(node, SequenceNode) else []
        named = [(member_of(item, "name", "id", "label", "task", "job"), item) for item in items]
        jobs = [(name.text, item) for name, item in named if isinstance(name, ScalarNode)]
    steps = [step for name, job in jobs if (step := step_of(name, job))]
    dags = [member_of(member_of(job, "dag"), "tasks") for _, job in jobs]
    for tasks in [one.items for one in dags if isinstance(one, SequenceNode)]:  # as in Argo
        steps = [step for task in tasks if (step := _step_of_dag(task, dict(jobs)))]
    if not steps:
        return None
    spelled = f"[{', '.join(steps)}]"
    return spelled if len(spelled) <= LONGEST_ADVICE else f"[{steps[0]}], with an item for each"


def _step_of_dag(task: Node, templates: Mapping[str, Node]) -> str | None:
    """Spell a task of Argo, which runs a template."""
    name, template = member_of(task, "name"), member_of(task, "template")
    if not isinstance(name, ScalarNode) or not isinstance(template, ScalarNode):
        return None
    after = conversions.names_of(member_of(task, "dependencies", "depends"))
    return step_of(name.text, templates.get(template.text, task), after or ())


def is_playbook(node: Node) -> bool:
    """Tell whether a list holds plays of Ansible."""
    return isinstance(node, SequenceNode) and any(member_of(one, "hosts") for one in node.items)


def playbook_of(node: Node) -> str:
    """Return what to write for a playbook: its tasks as steps, each after the one before."""
    plays = node.items if isinstance(node, SequenceNode) else []
    lists = [tasks for play in plays if isinstance(tasks := member_of(play, "tasks"), SequenceNode)]
    items = [task for one in lists for task in one.items][:_MOST_KEYS]
    steps: list[str] = []
    waits = ""
    for step_id, runs in map(_task_of, items):
        steps.append(f"{{id: {step_id}, {waits}{runs}}}")
        waits = f"depends_on: [{step_id}], "
    spelled = f"[{', '.join(steps)}]"
    if not steps or len(spelled) > LONGEST_ADVICE:
        spelled = f"{f'[{steps[0]}]' if steps else '[]'}, with an item for each task"
    words = foreign_words()["playbook"]
    given = [one for one in (*plays, *items) if isinstance(one, MappingNode)]
    keys = {key for one in given for key, _ in one.texts()}
    left = ", ".join(key for key in words["left_out"].split() if key in keys)
    left = f"; left out: {left}" if left else ""
    return f"write flow_id: NAME, and steps: {spelled}{left}; {words['hosts']}"


def _task_of(task: Node) -> tuple[str, str]:
    """Return the id and the command of a task."""
    name, given = member_of(task, "name"), {}
    if isinstance(task, MappingNode):
        given = {key: value for key, value in task.texts() if key != "name"}
    own = member_of(task, "shell", "command", "raw")
    if isinstance(own, ScalarNode):
        return (id_for(name.text) if isinstance(name, ScalarNode) else None) or "NAME", (
            f"script: {as_yaml(own.text)}"
        )
    meant = (meaning_of(key, "a step", ("command", "script"), given) for key in given)
    runs = next((one.advice for one in meant if one and one.field in {"command", "script"}), "")
    runs = runs.removeprefix("write ") if runs.endswith(("]", "'")) else "command: [make, build]"
    step_id = id_for(name.text) if isinstance(name, ScalarNode) else None
    return step_id or "NAME", runs


def misplaced(name: str, value: Node | None, noun: str) -> tuple[str, str] | None:
    """Return where a key of ours belongs that stands in the wrong record, and what to write."""
    places: dict[str, str] = foreign_words()["places"]
    home = next((place for place, keys in places.items() if name in keys.split()), None)
    if home is None or home == noun:
        return None
    spelled = None if value is None else spelling_of(value)
    if name == "params" and value is not None:
        spelled = params_of(value) or spelled
    line = f"{name}: {spelled}" if spelled else f"{name}: ..."
    fixes = {
        "a flow": f"write {line} beside steps:, without indentation",
        "a step": f"write defaults: {{{line}}} for all steps, or move it into one, below its id:",
        "concurrency": f"write concurrency: {{{line}}} beside steps:",
        "a parameter": f"write params: {{NAME: {{{line}}}}} beside steps:",
    }
    if home == "a step" and noun != "a flow":
        return None
    if name in foreign_words()["only_in_a_step"]["keys"].split():
        fixes["a step"] = "move it into a step, below its id:"
    return f"belongs to {'the flow' if home == 'a flow' else home}", fixes[home]


_VARIABLE_SIDE = (
    r"(?:\$\{?|\$?\{?(?:env|vars|variables|inputs|params|parameters|matrix|item|workflow\.parameters|"
    r"inputs\.parameters|github\.event\.inputs)\.)(?P<name>[A-Za-z_][\w-]*)\}?"
)
_SIGNS = {"!=": "!=", "-ne": "!=", ">": "-gt", "<": "-lt", ">=": "-ge", "<=": "-le"}
_COMPARED = re.compile(
    rf"\s*[\"']?(?:{_VARIABLE_SIDE}|(?P<bare>[A-Za-z_][A-Za-z0-9_]*))[\"']?\s*"
    r"(?P<sign>===?|!=|[<>]=?|=|-eq|-ne)\s*"
    r"(?:'(?P<one>[^']*)'|\"(?P<two>[^\"]*)\"|(?P<three>[\w./-]+))\s*"
)
_ASKED = re.compile(rf"\s*(?P<not>!?)\s*{_VARIABLE_SIDE}\s*")
_WRAPPED = re.compile(r"\s*\$?\{\{(.*)\}\}\s*", re.DOTALL)


def unwrapped(text: str) -> str:
    """Return a condition without braces around it, and without a leading `if`."""
    found = _WRAPPED.fullmatch(text)
    return unwrapped(found[1]) if found else re.sub(r"^\s*if\s+", "", text).strip()


def question_of(text: str, ids: Collection[str] = ()) -> str | None:
    """Return the command for `only_if` that asks what a text asks about a variable, or None.

    `ids` are names of steps, which are not variables.
    """
    text = as_variables(unwrapped(text))
    known = _question_of_fact(text)
    if known is not None or _FACT.match(text):
        return known
    if found := _COMPARED.fullmatch(text):
        value = next(one for one in found.group("one", "two", "three") if one is not None)
        sign = _SIGNS.get(found["sign"], "=")
        value = value if re.fullmatch(r"[\w./-]+", value) else f'"{value}"'
        name = variable_for(found["name"] or found["bare"])
        return None if name in ids else _asking(f'test "${name}" {sign} {value}')
    if found := _ASKED.fullmatch(text):
        sign = "!=" if found["not"] else "="
        return _asking(f'test "${variable_for(found["name"])}" {sign} true')
    return None


def _question_of_fact(text: str) -> str | None:
    """Return the command for what other systems know without a variable of ours, or None."""
    if (bare := text.strip("${}")) in EXPRESSIONS:
        return _asking(f'test -n "{EXPRESSIONS[bare]}"')
    fact = _FACT_COMPARED.fullmatch(text)
    if fact is None:
        return None
    families = foreign_words()["families"] if fact["name"] == "ansible_os_family" else {}
    if family := families.get(fact["value"]):
        return f"[test, -f, /etc/{family}]"
    instead = EXPRESSIONS.get("CI_COMMIT_TAG" if "refs/tags/" in text else fact["name"])
    sign = _SIGNS.get(fact["sign"], "=")
    return instead and _asking(f'test "{instead}" {sign} {fact["value"]}')


_FACT_COMPARED = re.compile(
    r"[\"']?(?:\$\{?)?(?:env\.)?(?P<name>[A-Za-z_][\w.]*)\}?[\"']?\s*(?P<sign>===?|!=|=)\s*"
    r"[\"']?(?:refs/(?:heads|tags)/)?(?P<value>[\w./-]+)[\"']?"
)
_FACT = re.compile(r"\s*(?:not\s+)?(?:ansible_|hostvars\b|inventory_|group_names\b)")
_UNSET = re.compile(r"\b(?:CI|(?:CI|GITHUB|GITLAB|RUNNER|TRAVIS|JENKINS|BUILD)_[A-Z_]+)\b")
_ASKED_PARAM = re.compile(
    r"[\"']?\$?\{*\s*(?:inputs|params|parameters|workflow\.parameters|inputs\.parameters|"
    r"github\.event\.inputs)\.([A-Za-z_][\w-]*)\s*\}*[\"']?\s*(?:[=!]=+\s*[\"']?([\w./-]*)[\"']?)?"
)


def set_for(text: str) -> str:
    """Return what else to write, so that there is the variable that a condition asks about."""
    text = unwrapped(text)
    if found := _UNSET.search(text):
        is_known = found[0] in EXPRESSIONS
        return "" if is_known else f"; nothing here sets {found[0]}: set it in env:"
    if found := _ASKED_PARAM.fullmatch(text):
        return f", and params: {{{variable_for(found[1])}: '{found[2] or 'true'}'}} beside steps:"
    return ""


def asks_fact(text: str) -> bool:
    """Whether a text asks about a fact of Ansible."""
    return _FACT.match(unwrapped(text)) is not None


_OUTPUT_COMPARED = re.compile(
    r"(?:\{\{)?\s*(?:steps|needs|jobs|tasks)\.([\w-]+)\.outputs?\.(?:parameters\.)?([\w-]+)"
    r"\s*(?:\}\})?\s*==?\s*['\"]?([\w.-]+)['\"]?"
)


def asks_output(text: str) -> str | None:
    """Return how to ask what a step wrote, if a condition of another system asks that."""
    found = _OUTPUT_COMPARED.fullmatch(unwrapped(text))
    if found is None:
        return None
    file = f"${{{{ RUN_DIR }}}}/{found[2]}"
    return f"let step {found[1]} write {file}, and write only_if: [grep, -qx, {found[3]}, '{file}']"


_SURROUNDINGS = re.compile(
    r"\s*!?\s*(?:\$\{?\w|(?:env|vars|github|gitlab|runner|inputs|matrix|secrets|params|ansible\w*|item|"
    r"workflow|variables|parameters|event|branch)\.|(?:startsWith|endsWith|contains|hashFiles|exists|"
    r"fileExists|eq|ne|defined)\(|[A-Z][A-Z0-9_]+\s*[=!])"
)


def asks_surroundings(text: str) -> bool:
    """Tell whether a text asks about variables, files or events."""
    return _SURROUNDINGS.match(unwrapped(text)) is not None


def _asking(command: str) -> str:
    return f"[sh, -c, {as_yaml(command)}]"


_STEP_OUTPUT = re.compile(r"(?:steps|needs|jobs|tasks)\.([\w-]+)\.(?:outputs?|result)\S*?(\w+)")
_VALUE_OF = re.compile(
    r"(?:(?:env|inputs|params|vars|variables|matrix|parameters|item|workflow\.parameters|values|"
    r"inputs\.parameters|github\.event\.inputs)\.)?([A-Za-z_][\w-]*)(?:\s*\|\|?\s*(?:default\()?(.*?)\)?)?"
)
_BUILT_IN = {
    **dict.fromkeys(("github.workspace", "runner.workspace", "invocation_directory"), "FLOW_DIR"),
    **dict.fromkeys(("runner.temp", "github.action_path"), "RUN_DIR"),
    **dict.fromkeys(("github.run_id", "github.run_number", "run_id", "workflow.name"), "RUN_KEY"),
}


def expression_for(held: str, known: Collection[str]) -> str | None:
    """Return what to write for an expression between `${{` and `}}`, or None."""
    found, output = _VALUE_OF.fullmatch(held), _STEP_OUTPUT.match(held)
    name = found and variable_for(found[1])
    write, fix = f"write ${{{{ {_BUILT_IN.get(held, name)} }}}}", None
    if output is not None:
        file = f'"$ORCHESJOB_FLOW_RUN_DIR/{output[2]}"'
        fix = f"let step {output[1]} write {file}; a script reads it: $(cat {file})"
    elif held.startswith("secrets."):
        name = variable_for(held)
        fix = f"write script: with ${name}, and env_file: secrets.env, a file with {name}=VALUE"
    elif held in _BUILT_IN or (name in known and found and not found[2]):
        fix = write
    elif not found or not name:
        is_computed = re.match(r"\w+[.(]", held)
        fix = (
            "write script: with what computes it, such as $(git describe)" if is_computed else None
        )
    elif name in known:
        default = as_yaml(found[2].strip("'\""))
        fix = f"{write}, and its default in params: {{{name}: {default}}}"
    elif held.startswith(("matrix.", "item.")):
        fix = f"{write}, and foreach: {{{name}: [a, b]}} in the step"
    elif held.startswith(("env.", "vars.")):
        fix = f"write script: with ${name}, since only a shell knows variables"
    else:
        fix = f"{write}, and params: {{{name}: {{}}}} beside steps:"
    return fix


_FILE_ASKED = re.compile(
    r"\[\[?\s+(?:-f|-e|-d|-s)\s+(\S+)\s+\]\]?|exists\(['\"]?([\w./-]+)['\"]?\)"
)


def gate_of(text: str) -> str | None:
    """Return a text for `only_if` as a command, or None."""
    if asked := question_of(text):
        return asked
    text = text.strip()
    if text in {"true", "yes", "always"}:
        return None
    if (found := _FILE_ASKED.fullmatch(text)) and not re.search(r"[$*?~]", text):
        sign = re.search(r"-[a-z]", text.partition("(")[0])
        return f"[test, {sign[0] if sign else '-e'}, {as_yaml(found[1] or found[2])}]"
    if re.fullmatch(r"[\w-]+\.(?:succeeded|failed|skipped|passed|finished)", text):
        return None
    if "[[" in text:
        return f"[bash, -c, {as_yaml(text)}]"
    return None


def value_for(field: str, word: str) -> str | None:
    """Return the word of a field that a word of another system means, or None."""
    words: dict[str, str] = foreign_words()["values"].get(field, {})
    return next((ours for ours, theirs in words.items() if folded(word) in theirs.split()), None)


def group_for(text: str) -> str:
    """Return how to write a name, a number or a truth value as `concurrency`."""
    if meant := value_for("on_conflict", text):
        return f"write {{on_conflict: {meant}}}"
    if truth_for(text):
        return "write {on_conflict: wait}, which lets one run at a time"
    if text.isdecimal():
        place = "in place of concurrency:, to limit the steps that run at once"
        return f"write max_parallel: {text} {place}"
    return f"write {{group: {as_yaml(text)}}}"


def _conflict_of(node: Node) -> str | None:
    text = node.text if isinstance(node, ScalarNode) else ""
    known: dict[str, str] = foreign_words()["values"]["on_conflict"]
    return text.lower() if text.lower() in known else value_for("on_conflict", text)


def _cancelling_of(node: Node) -> str:
    return "wait" if conversions.truth_of(node) == "false" else "replace"


def _continue_on_of(node: Node) -> str | None:
    """Return what stands for `continueOn` of dagu, whose other half is in the next steps."""
    if codes := codes_beside_0_of(node) if member_of(node, "exitcode", "exitcodes") else None:
        return f"write success_exit_codes: {codes}"
    if member_of(node, "skipped") and not member_of(node, "failure", "failed"):
        return (
            "remove it, and write when: ID.passed in the steps after it: a skipped step has passed"
        )
    return None


_CONDITION = re.compile(r"[\w\s.!&|()@-]*[!&|.][\w\s.!&|()@-]*")


def _condition_of(node: Node) -> str | None:
    """Return a text that is a condition over steps, with predicates of ours."""
    if not isinstance(node, ScalarNode) or not _CONDITION.fullmatch(node.text):
        return None
    words: dict[str, str] = foreign_words()["predicates"]
    meant = {one: ours for ours, theirs in words.items() for one in (ours, *theirs.split())}
    return re.sub(r"\.(\w+)", lambda one: f".{meant.get(one[1].lower(), one[1])}", node.text)


def _gate_of(node: Node) -> str | None:
    """Spell a question about a variable or a file as a command."""
    if isinstance(node, SequenceNode) and len(node.items) == 1:
        return _gate_of(node.items[0])
    if isinstance(node, MappingNode):
        asked, expected = (
            member_of(node, "if", "condition", "sh", "test", "cmd"),
            member_of(node, "expected"),
        )
        if not isinstance(asked, ScalarNode):
            return None
        if isinstance(expected, ScalarNode):
            return question_of(f"{asked.text} == '{expected.text}'")
        node = asked
    if not isinstance(node, ScalarNode) or not node.text:
        return None
    if found := gate_of(node.text):
        return found
    is_command = re.match(r"(?:test|\[|\./|grep|command|systemctl|which|/)\b|\[", node.text)
    return _as_command(node.text) if is_command else None


def _as_command(text: str) -> str:
    is_plain = re.fullmatch(r"[\w\s./=:-]+", text)
    return f"[{', '.join(map(as_yaml, text.split()))}]" if is_plain else _asking(text)


def _set_of(node: Node) -> str:
    """Return what else to write beside a question."""
    items = node.items if isinstance(node, SequenceNode) else [node]
    asked = [member_of(item, "if", "condition") or item for item in items]
    return "".join(set_for(one.text) for one in asked[:1] if isinstance(one, ScalarNode))


def _unless_of(node: Node) -> str | None:
    """Spell commands that all succeed where there is nothing to do, as the opposite question."""
    lines = lines_of(node)
    return _asking(f"! {{ {' && '.join(lines)}; }}") if lines else None


_HANDLERS = {"failure": "any(failed)", "success": "all(succeeded)", "cancel": "any(cancelled)"}
_HANDLER_IDS = {"failure": "alert", "success": "done", "cancel": "cancelled", "exit": "tidy"}


def _handlers_of(node: Node) -> str | None:
    """Spell the handlers of a flow as steps of `finally`."""
    if not isinstance(node, MappingNode):
        return None
    steps = []
    for name, value in node.texts():
        if name not in _HANDLER_IDS:
            return None
        script = script_of(value) or "./alert"
        script = "./alert" if truth_for(script) else script
        when = f", when: {_HANDLERS[name]}" if name in _HANDLERS else ""
        steps.append(f"{{id: {_HANDLER_IDS[name]}{when}, script: {script}}}")
    return f"[{', '.join(steps)}]" if steps else None


def _group_of(node: Node) -> str | None:
    """Return the name of a lock, which may be some levels down, or None."""
    if isinstance(node, MappingNode):
        inner = member_of(node, "name", "group", "key", "mutex", "semaphore")
        return None if inner is None else _group_of(inner)
    return as_yaml(node.text) if isinstance(node, ScalarNode) and id_for(node.text) else None


def _type_of(node: Node) -> str | None:
    name = member_of(node, "type", "name") or node
    types: dict[str, str] = foreign_words()["types"]
    return types.get(name.text.lower()) if isinstance(name, ScalarNode) else None


def _unit_of(node: Node) -> str | None:
    text = node.text if isinstance(node, ScalarNode) else ""
    return text if re.fullmatch(r"[\w@-]+\.(?:target|service|socket|mount)", text) else None


def _directory_of(node: Node) -> str | None:
    inner = member_of(node, "workingdirectory", "workingdir", "dir", "cwd")
    return None if inner is None else text_of(inner)


def _defaults_of(node: Node) -> str | None:
    """Spell fields for all steps, as far as they are ours or mean one of ours."""
    fields = _more_of(node, "")
    return f"{{{', '.join(fields)}}}" if fields else None


def _container_of(node: Node) -> str | None:
    """Spell an image with its command as words, or None."""
    image = member_of(node, "image")
    words = [text for name in ("command", "args") for text in texts_of(member_of(node, name)) or []]
    if not isinstance(image, ScalarNode):
        return None
    return ", ".join(map(as_yaml, [image.text, *(words or ["make"])]))


def _checkout_of(node: Node) -> str | None:
    """Return why a flow needs no action that fetches files or installs a language, or None."""
    action = node.text if isinstance(node, ScalarNode) else ""
    if action.startswith("actions/checkout"):
        return "a flow runs where its files are"
    found = re.match(r"[\w-]+/setup-(\w+)", action)
    return f"install {found[1]} on this machine" if found else None


def _files_of(node: Node) -> str | None:
    texts = texts_of(node)
    return (
        f"[{', '.join(map(as_yaml, texts))}]"
        if texts and len(texts) > 1
        else (as_yaml(texts[0]) if texts else None)
    )


def shell_for(text: str) -> str | None:
    """Return what to write for the name of a shell, or None."""
    text = text.removesuffix("{0}").strip()
    if text.rpartition("/")[2] == "bash" or truth_for(text) == "true":
        return "remove it: bash runs a script, and stops at the first failure"
    if shell := foreign_words()["shells"].get(text.rpartition("/")[2]):
        return f"write {shell}"
    words = text.split()
    if len(words) > 1 and words[0].rpartition("/")[2] in {"bash", "sh", "zsh", "python3", "python"}:
        words = words if words[-1].endswith("c") and words[-1][0] == "-" else [*words, "-c"]
        return f"write [{', '.join(map(as_yaml, words))}]"
    return None


CONVERSIONS: Mapping[str, Callable[[Node], str | None]] = {
    name.strip("_").removesuffix("_of"): function
    for name, function in {**vars(conversions), **globals()}.items()
    if name.endswith("_of")
}
"""The functions for placeholders, by the placeholder: `<ids>` is filled by `ids_of`."""
