"""Values of other systems, spelled as our fields need them (rule 6.12).

Each conversion takes a key of another system and its value in the file. It returns the text that a
message shows, or None if the value does not fit. Only a file with a mistake imports this module.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod

from flow_spec.documents.tree import Form, MappingNode, Node, ScalarNode, SequenceNode

LONGEST_SPELLED, LONGEST_ADVICE = 90, 400
"""The longest value that a message spells, and the longest in advice; nobody reads more."""


def folded(word: str) -> str:
    """Return a word without its case, hyphens and underscores."""
    return word.casefold().replace("-", "").replace("_", "").replace(" ", "")


_PLAIN = re.compile(r"(?![-?:](?:\s|$))[\w./+=-](?:[\w./@%+=-]|:(?=[\w/]))*")


def as_yaml(text: str) -> str:
    """Spell a text for YAML, in quotes if it needs them, also in brackets and braces."""
    if _PLAIN.fullmatch(text):
        return text
    return quoted_whole(text) if "'" in text or not text.isprintable() else f"'{text}'"


def quoted_whole(text: str) -> str:
    """Spell a text in double quotes, of any length."""
    inner = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{inner}"'


_MOST_NODES, _MOST_CHARACTERS = 500, 5000


def is_small(node: Node | None) -> bool:
    """Tell whether a value is worth converting; an alias may repeat a long one very often."""
    waiting, nodes, characters = [node], 0, 0
    while waiting and nodes <= _MOST_NODES and characters <= _MOST_CHARACTERS:
        nodes += 1
        match waiting.pop():
            case ScalarNode(text=text):
                characters += len(text)
            case SequenceNode(items=items):
                waiting += items[:_MOST_NODES]
            case MappingNode(entries=entries):
                waiting += [part for entry in entries[:_MOST_NODES] for part in entry]
    return nodes <= _MOST_NODES and characters <= _MOST_CHARACTERS


def spelling_of(node: Node) -> str | None:
    """Return a value on one line of YAML, or None if it is too long to show."""
    text = _spelled(node) if is_small(node) else "\n"
    return text if len(text) <= LONGEST_SPELLED and text.isprintable() else None


def _spelled(node: Node) -> str:
    match node:
        case ScalarNode(form=Form.BARE) if _PLAIN.fullmatch(node.text) or not node.text:
            return node.text
        case ScalarNode(form=Form.TEXT) if re.fullmatch(r"[\d._+-]+", node.text):
            return f"'{node.text}'"  # the writer knows that it would be a number
        case ScalarNode():
            return as_yaml(node.text)
        case SequenceNode():
            return f"[{', '.join(map(_spelled, node.items))}]"
        case MappingNode():
            pairs = (f"{_spelled(key)}: {_spelled(value)}" for key, value in node.entries)
            return f"{{{', '.join(pairs)}}}"
        case _:
            return "..."


def as_flow_style(value: object) -> str:
    """Return an example of a field on one line of YAML."""
    match value:
        case {}:
            return f"{{{', '.join(f'{key}: {as_flow_style(one)}' for key, one in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(map(as_flow_style, value))}]"
        case bool():
            return str(value).lower()
        case _:
            return as_yaml(str(value))


def id_for(text: str) -> str | None:
    """Return the id that a title such as `Build the app` suggests, or None."""
    likely = re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")
    return likely if likely and len(likely) <= 40 else None  # noqa: PLR2004 - of a message


def variable_for(text: str) -> str | None:
    """Return the name of a variable that is most like a text, or None."""
    likely = re.sub(r"[^A-Za-z0-9_]+", "_", text.rpartition(".")[2]).strip("_")
    if likely[:1].isdigit():
        likely = f"_{likely}"
    return likely or None


def is_id(text: str) -> bool:
    """Tell whether a text looks like the id of a step."""
    return text[:1] != "-" and text.replace("-", "").replace("_", "a").isalnum() and text.isascii()


def texts_of(node: Node | None) -> list[str] | None:
    """Return the texts of a scalar or of a list of scalars, or None."""
    if not is_small(node):
        return None
    items = node.items if isinstance(node, SequenceNode) else [node]
    texts = [item.text for item in items if isinstance(item, ScalarNode)]
    return texts if len(texts) == len(items) else None


def member_of(node: Node | None, *names: str) -> Node | None:
    """Return the value of the first of these keys that a mapping has; the keys are folded."""
    if not isinstance(node, MappingNode):
        return None
    values = {folded(key): value for key, value in node.texts()}
    return next((values[name] for name in names if name in values), None)


def number_of(node: Node | None) -> str | None:
    """Return the digits of a whole number, or None."""
    if isinstance(node, ScalarNode) and re.fullmatch("[0-9]{1,6}", node.text):
        return node.text.lstrip("0") or "0"
    return None


_COMMANDS = (
    *("run", "script", "cmd", "cmds", "command", "commands", "shell", "bash", "sh", "exec"),
    "bashcommand",
)
"""The keys under which other systems have commands, folded."""


def lines_of(node: Node | None) -> list[str] | None:
    """Return the commands that a text, a list of texts or of tasks holds, or None."""
    if not is_small(node):
        return None
    match node:
        case ScalarNode():
            return [line for line in node.text.splitlines() if line.strip()]
        case SequenceNode():
            found = [lines_of(item) for item in node.items]
            uses = [member_of(item, "uses") for item in node.items]  # as the checkout of an action
            is_whole = all(lines or used for lines, used in zip(found, uses, strict=True))
            return [line for lines in found if lines for line in lines] if is_whole else None
        case MappingNode():
            words = texts_of(member_of(node, "command", "args"))
            if words and isinstance(member_of(node, "command", "args"), SequenceNode):
                return [" ".join(words)]
            before = "preconditions" if member_of(node, "cmds") else "beforescript"
            first = lines_of(member_of(node, before)) or []  # of Task and of GitLab CI
            rest = lines_of(member_of(node, *_COMMANDS, "steps", "container", "tasks"))
            return rest and [*first, *rest]
        case _:
            return None


_VARIABLES = re.compile(
    r"\$?\{\{-?\s*(?:(?:env|inputs|params|vars|variables|secrets|matrix|parameters|item)\.|"
    r"(?:workflow|inputs)\.parameters\.|github\.event\.inputs\.|\.)?"
    r"([A-Za-z_][\w-]*)\s*-?\}\}"
)


_MEANT = {
    "$(git branch --show-current)": "github.ref_name github.ref github.head_ref CI_COMMIT_BRANCH "
    "CI_COMMIT_REF_NAME GITHUB_REF GITHUB_REF_NAME GITHUB_HEAD_REF BRANCH_NAME",
    "$(git rev-parse HEAD)": "github.sha CI_COMMIT_SHA GITHUB_SHA",
    "$(git tag --points-at HEAD)": "CI_COMMIT_TAG",
    "$ORCHESJOB_FLOW_DIR": "github.workspace CI_PROJECT_DIR GITHUB_WORKSPACE WORKSPACE",
    "$ORCHESJOB_FLOW_RUN_DIR": "runner.temp RUNNER_TEMP",
    "$ORCHESJOB_FLOW_RUN_KEY": "github.run_id CI_PIPELINE_ID GITHUB_RUN_ID",
    "$(hostname)": "ansible_hostname inventory_hostname",
    "$(uname)": "ansible_system runner.os RUNNER_OS",
    "$(uname -m)": "ansible_architecture runner.arch",
    "$(id -un)": "ansible_user_id",
    "$(date +%F)": "ds ansible_date_time.date",
    "$(date +%Y%m%d)": "ds_nodash",
    "$(date -Is)": "ts",
}
EXPRESSIONS = {name: ours for ours, names in _MEANT.items() for name in names.split()}
"""What a shell has for variables, facts and macros that only other systems set."""

_EXPRESSION = re.compile(r"\$?\{\{\s*([\w.]+)\s*\}\}")
_OUTPUT = re.compile(
    r"\$?\{\{\s*(?:steps|needs|jobs|tasks)\.[\w-]+\.outputs?\.(?:\w+\.)?([\w-]+)\s*\}\}"
)


def as_variables(text: str) -> str:
    """Return a text with templates of other systems replaced by variables of a shell."""
    text = _EXPRESSION.sub(lambda found: EXPRESSIONS.get(found[1], found[0]), text)
    text = re.sub(r'"?\$\{?GITHUB_(OUTPUT|ENV)\}?"?', '"$ORCHESJOB_FLOW_RUN_DIR/values.env"', text)
    text = _OUTPUT.sub(lambda found: f'$(cat "$ORCHESJOB_FLOW_RUN_DIR/{found[1]}")', text)
    return _VARIABLES.sub(lambda found: f"${variable_for(found[1])}", text)


def script_of(node: Node) -> str | None:
    """Spell commands as the text of a `script`."""
    lines = lines_of(node)
    if not lines:
        return None
    multiline = isinstance(node, ScalarNode) and len(lines) > 1
    joined = as_variables(" && ".join(line.strip() for line in lines))
    if multiline or len(joined) > LONGEST_SPELLED or re.search(r"[;\\]\s*&&|&& #", joined):
        return "| and the same lines below it"
    return as_yaml(joined)


_SIMPLE = re.compile(
    r"\s*(?!(?:if|then|else|fi|for|while|do|done|case|esac|function)\b)[^;\\{}()#]+"
)


def joined_of(node: Node) -> str | None:
    """Spell commands on one line, if each stands on a line of its own."""
    lines = lines_of(node) or []
    if not all(map(_SIMPLE.fullmatch, lines)) and len(lines) > 1:
        return None
    return as_yaml(as_variables(" && ".join(line.strip() for line in lines))) if lines else None


def raw_of(node: Node) -> str | None:
    """Return commands as one line, to be written in single quotes with others."""
    line = as_variables(" && ".join(part.strip() for part in lines_of(node) or []))
    return line if line and "'" not in line and line.isprintable() else None


def named_of(node: Node) -> str | None:
    """Return the value of `name` in the arguments of a module of Ansible, or None."""
    if isinstance(node, ScalarNode) and "=" in node.text:
        pairs = pairs_of(node) or {}
        return pairs.get("name") or pairs.get("src")
    name = member_of(node, "name", "src", "repo", "url", "msg") or node
    return as_yaml(name.text) if isinstance(name, ScalarNode) else None


def words_of(node: Node) -> str | None:
    """Spell the words of a command, to be written after others."""
    command = command_of(node)
    return command and command[1:-1]


def command_of(node: Node) -> str | None:
    """Spell a text or a list as the words of a `command`."""
    texts = texts_of(node)
    if texts is None or (isinstance(node, SequenceNode) and any(" " in text for text in texts)):
        return None
    words = texts if isinstance(node, SequenceNode) else texts[0].split()
    return f"[{', '.join(map(as_yaml, words))}]" if words else None


def names_of(node: Node | None) -> list[str] | None:
    """Return the steps that a value of another system names, or None."""
    if not is_small(node):
        return None
    match node:
        case ScalarNode():
            names = node.text.replace(",", " ").split()
        case SequenceNode():
            named = [
                member_of(item, "job", "task", "id", "name", "step", "ref") for item in node.items
            ]
            both = [one or item for one, item in zip(named, node.items, strict=True)]
            names = [item.text for item in both if isinstance(item, ScalarNode)]
            names = names if len(names) == len(node.items) else []
        case MappingNode():
            names = [name for name, _ in node.texts()]
        case _:
            return None
    return names if names and all(map(is_id, names)) else None


def ids_of(node: Node) -> str | None:
    """Spell the names of steps as a list."""
    names = names_of(node)
    return None if names is None else f"[{', '.join(names)}]"


def id_of(node: Node) -> str | None:
    """Spell a title as an id."""
    return id_for(node.text) if isinstance(node, ScalarNode) else None


def text_of(node: Node) -> str | None:
    """Spell a text that may hold `${{ NAME }}`."""
    is_text = isinstance(node, ScalarNode) and node.text and node.text.isprintable()
    return as_yaml(as_filled(node.text)) if is_text and isinstance(node, ScalarNode) else None


def as_filled(text: str) -> str:
    """Return a text with templates of other systems as `${{ NAME }}`."""
    return _VARIABLES.sub(lambda found: f"${{{{ {variable_for(found[1])} }}}}", text)


def value_of(node: Node) -> str | None:
    """Spell a value as it is."""
    return spelling_of(node)


def duration_of(node: Node, unit: str = "") -> str | None:
    """Spell a duration; a number without a unit has this one."""
    if isinstance(node, MappingNode):
        parts = [f"{_spelled(value)}{name[:1]}" for name, value in node.texts()]
        return as_duration("".join(parts))
    if not isinstance(node, ScalarNode):
        return None
    if (number := number_of(node)) is not None:
        return f"{number}{unit}"
    is_ours = re.fullmatch(r"[\dhms.d]+", node.text)
    return as_duration(node.text) or (node.text if is_ours else None)


def minutes_of(node: Node) -> str | None:
    """Spell a duration in minutes, as of `timeout-minutes`."""
    return duration_of(node, "m")


_CLOCK = re.compile(r"(\d{1,4}):(\d\d)(?::(\d\d))?", re.ASCII)
_PART = (
    r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(milliseconds?|msecs?|ms|"
    r"[smhdw](?:ecs?|econds?|ins?|inutes?|rs?|ours?|ays?|ks?|eeks?)?)"
)
_PARTS = re.compile(rf"p?t?(?:{_PART}t?)+", re.ASCII)
_BETWEEN = re.compile(r"[\s,]+|\band\b")
_ORDER = "wdhms"


def as_duration(text: str) -> str | None:
    """Return a duration such as `10 min`, `1h 30m`, `PT10M` or `1:30:00` in our spelling."""
    if clock := _CLOCK.fullmatch(text):
        parts = list(zip(clock.groups(), "hms" if clock[3] else "ms", strict=False))
    elif len(text) <= LONGEST_SPELLED and _PARTS.fullmatch(
        joined := _BETWEEN.sub("", text.lower())
    ):
        parts = [
            (number, "ms" if unit.startswith(("ms", "mil")) else unit[0])
            for number, unit in re.findall(_PART, joined, re.ASCII)
        ]
    else:
        return None
    numbers = {unit: float(number) for number, unit in parts if float(number or 0)}
    if len(numbers) < sum(1 for number, _ in parts if float(number or 0)):
        return None
    if numbers.get("ms"):
        numbers["s"] = numbers.get("s", 0.0) + numbers.pop("ms") / 1000
    spelled = (f"{numbers[unit]:.9g}{unit}" for unit in _ORDER if unit in numbers)
    return "".join(spelled) or None


def truth_of(node: Node) -> str | None:
    """Spell a truth value."""
    return truth_for(node.text) if isinstance(node, ScalarNode) else None


def truth_for(text: str) -> str | None:
    """Return `true` or `false` for a word that means it, or None."""
    if text.lower() in {"yes", "y", "on", "1", "true", "always"}:
        return "true"
    return "false" if text.lower() in {"no", "n", "off", "0", "false", "never"} else None


def pairs_of(node: Node | None, *, bare: str | None = None) -> dict[str, str] | None:
    """Return names and values from a mapping, a list or a text in any spelling, or None.

    `bare` is the value of a name without one.
    """
    if not is_small(node):
        return None
    match node:
        case MappingNode():
            name = next((one for key, one in node.texts() if key in {"name", "key"}), None)
            if isinstance(name, ScalarNode):
                given = member_of(node, "value", "default", "defaultvalue")
                found = _pair(name.text, given, bare)
            else:
                found = _pairs([_pair(key, value, bare) for key, value in node.texts()])
        case SequenceNode():
            found = _pairs(
                [
                    _set(item.text, bare)
                    if isinstance(item, ScalarNode)
                    else pairs_of(item, bare=bare)
                    for item in node.items
                ]
            )
        case ScalarNode():
            parts = node.text.split()
            is_one = bare is None and not all("=" in part for part in parts)
            found = _pairs([_set(part, bare) for part in ([node.text] if is_one else parts)])
        case _:
            return None
    return found or None


def _pairs(each: list[dict[str, str] | None]) -> dict[str, str] | None:
    found = [one for one in each if one is not None]
    merged = {name: value for one in found for name, value in one.items()}
    return merged if len(found) == len(each) else None


def _set(part: str, bare: str | None) -> dict[str, str] | None:
    """Return the pair of a text such as `NAME=VALUE`, or None."""
    name, equals, value = part.strip("\"'").partition("=")
    variable = variable_for(name)
    if variable is None or not (equals or bare is not None):
        return None
    return {variable: as_yaml(value.strip("\"'")) if equals else bare or ""}


def _pair(name: str, value: Node | None, bare: str | None) -> dict[str, str] | None:
    variable = variable_for(name)
    if isinstance(value, MappingNode):
        value = member_of(value, "default", "value")
        if value is None and bare is None:
            return None
    is_bare = value is None or (isinstance(value, ScalarNode) and value.text in {"", "null", "~"})
    if variable is None or (is_bare and bare is None):
        return None
    if is_bare:
        return {variable: bare or ""}
    return {variable: _spelled(value)} if isinstance(value, ScalarNode) else None


def _mapped(pairs: Mapping[str, str] | None) -> str | None:
    if pairs is None:
        return None
    return f"{{{', '.join(f'{name}: {value}' for name, value in pairs.items())}}}"


def dispatch_of(node: Node) -> str | None:
    """Spell the inputs of a workflow of GitHub Actions that a person starts."""
    inputs = member_of(member_of(node, "workflowdispatch", "workflowcall"), "inputs")
    return None if inputs is None else params_of(inputs)


def dispatched_of(node: Node) -> str | None:
    """Return the name of the first of these inputs."""
    return (dispatch_of(node) or "").partition(":")[0].strip("{") or None


def options_of(node: Node) -> str | None:
    """Spell parameters as words of `orchesjob-flow run`."""
    pairs = (pairs_of(node) or {}).items()
    return ", ".join(f"--param, {as_yaml(f'{name}={value}')}" for name, value in pairs) or None


def variables_of(node: Node) -> str | None:
    """Spell variables as a mapping."""
    return _mapped(pairs_of(node))


def params_of(node: Node) -> str | None:
    """Spell parameters as a mapping; one without a default gets `{}`."""
    return _mapped(pairs_of(node, bare="{}"))


def vars_of(node: Node) -> str | None:
    """Spell the names below `vars` as parameters."""
    vars_ = member_of(node, "vars")
    return None if vars_ is None else params_of(vars_)


_COUNTS = ("limit", "max", "attempts", "maxattempts", "maxretries", "count", "times", "retries")
_DELAYS = ("intervalsec", "interval", "delay", "delayseconds", "wait", "duration", "retrydelay")
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def retries_of(node: Node) -> str | None:
    """Spell how often something is tried again, perhaps with the delay between."""
    if isinstance(node, ScalarNode):
        found = re.fullmatch(r"(?:on-failure:?)?\s*\"?([0-9]{0,6})\s*(?:x|times)?\"?", node.text)
        if node.text in _NUMBERS:
            return str(_NUMBERS.index(node.text))
        return (found[1].lstrip("0") or "3") if found and node.text else None
    if not isinstance(node, MappingNode):
        return None
    backoff = member_of(node, "backoff")
    delay = member_of(backoff, "duration", "delay") or member_of(node, *_DELAYS)
    factor = number_of(
        member_of(backoff, "factor") or member_of(node, "factor", "multiplier", "backoff")
    )
    parts = [number_of(member_of(node, *_COUNTS)) or "3"]
    if delay is not None and (spelled := duration_of(delay)):
        parts.append(f"retry_delay_sec: {spelled}")
    if factor is not None:
        parts.append(f"retry_backoff: {factor}")
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


_RANGE = re.compile(r"([0-9]{1,3})\s*(?:-|\.\.)\s*([0-9]{1,3})")


def codes_of(node: Node) -> str | None:
    """Spell exit codes as a list."""
    texts = texts_of(member_of(node, "exitcodes", "exitcode", "codes", "code") or node) or []
    codes: list[str] = []
    for part in " ".join(texts).replace(",", " ").split():
        if found := _RANGE.fullmatch(part):
            codes += map(str, range(int(found[1]), min(int(found[2]), int(found[1]) + 20) + 1))
        elif part.isdecimal():
            codes.append(part)
        else:
            return None
    return f"[{', '.join(dict.fromkeys(codes))}]" if codes else None


def codes_beside_0_of(node: Node) -> str | None:
    """Spell exit codes as a list that begins with 0."""
    codes = codes_of(node)
    return codes and re.sub(r"^\[(?:0, |0(?=\]))?", "[0, ", codes).replace("[0, ]", "[0]")


def lists_of(node: Node) -> str | None:
    """Spell what steps are repeated for as the value of `foreach`."""
    node = member_of(node, "matrix") or node
    node = member_of(node, "items", "values") or node
    if isinstance(node, SequenceNode) and all(isinstance(one, MappingNode) for one in node.items):
        if len(node.items) == 1 and any(isinstance(one, SequenceNode) for _, one in _texts(node)):
            return lists_of(node.items[0])  # as in GitLab CI
        return spelling_of(node) if node.items else None
    if not isinstance(node, MappingNode):
        texts = texts_of(node) if isinstance(node, SequenceNode) else None
        return _spelled(node) if texts else None
    rows = rows_of(node)
    if rows is not None:
        return rows
    lists = {variable_for(name): value for name, value in node.texts()}
    if not all(name and texts_of(value) is not None for name, value in lists.items()):
        return None
    return _mapped({str(name): _listed(value) for name, value in lists.items()})


def _listed(node: Node) -> str:
    return _spelled(node if isinstance(node, SequenceNode) else SequenceNode([node]))


def lists_and_name_of(node: Node) -> str | None:
    """Spell what steps are repeated for, and say how the value is named."""
    lists = lists_of(node)
    name = None if lists is None else re.match(r"\[?\{(\w+): ", lists)
    return lists and f"{lists}, and '${{{{ {name[1] if name else 'ITEM'} }}}}' for the value"


def _texts(node: SequenceNode) -> Iterator[tuple[str, Node]]:
    for item in node.items:
        if isinstance(item, MappingNode):
            yield from item.texts()


_MOST_ROWS = 12


def rows_of(node: MappingNode) -> str | None:
    """Spell a matrix with `exclude` or `include` as rows; None without these, or if it is long."""
    entries = dict(node.texts())
    changes = {name: entries.pop(name) for name in ("exclude", "include") if name in entries}
    if not changes:
        return None
    lists = {
        name: value.items if isinstance(value, SequenceNode) else []
        for name, value in entries.items()
    }
    if not is_small(node) or prod(map(len, lists.values())) > _MOST_NODES:
        return None
    combined = product(*([_spelled(one) for one in values] for values in lists.values()))
    rows = [dict(zip(lists, row, strict=True)) for row in combined] if lists else []
    for name, change in changes.items():
        items = change.items if isinstance(change, SequenceNode) else [change]
        for item in items:
            if not isinstance(item, MappingNode):
                return None
            named = {key: _spelled(one) for key, one in item.texts()}
            if name == "include":
                rows.append(named)
            else:
                rows = [row for row in rows if not named.items() <= row.items()]
    if not 0 < len(rows) <= _MOST_ROWS:
        return None
    spelled = (
        ", ".join(f"{variable_for(name)}: {value}" for name, value in row.items()) for row in rows
    )
    return f"[{', '.join(f'{{{row}}}' for row in spelled)}]"


def is_compose(node: Node | None) -> bool:
    """Tell whether a file is one of Compose."""
    services = member_of(node, "services")
    found = services.texts() if isinstance(services, MappingNode) and is_small(services) else ()
    return member_of(node, "steps") is None and any(
        member_of(one, "image", "build") is not None for _, one in found
    )


def runs_of_compose(services: Node | None, file: str) -> str:
    """Spell the steps that run services of Compose; one without a command is a server."""
    named = [*services.texts()] if isinstance(services, MappingNode) else []
    jobs = {name: one for name, one in named if _has_command(one)}
    compose = f"command: [docker, compose, -f, {file}"
    steps = []
    for name, one in jobs.items():
        needs = [other for other in names_of(member_of(one, "dependson")) or () if other in jobs]
        waits = f"depends_on: [{', '.join(needs)}], " if needs else ""
        steps.append(f"{{id: {id_for(name)}, {waits}{compose}, run, --rm, {name}]}}")
    if not steps:
        steps = [f"{{id: up, {compose}, up, -d, --wait]}}"]
    return f"steps: [{', '.join(steps)}], finally: [{{id: down, {compose}, down]}}]"


def _has_command(node: Node) -> bool:
    return member_of(node, *_COMMANDS) is not None


def line_of(node: Node) -> str | None:
    """Spell the words of a command, or a text, for a shell; None if that needs single quotes."""
    words = texts_of(node)
    if words is None:
        return None
    texts = map(in_shell, words) if isinstance(node, SequenceNode) else words
    line = " ".join(texts)
    return line if line and "'" not in line and line.isprintable() else None


def in_shell(word: str) -> str:
    """Spell a word for a shell, with templates of other systems as variables of the shell."""
    spelled = as_variables(word)
    if re.fullmatch(r"[\w./:=@%+,-]+", spelled):
        return spelled
    if spelled == word:  # not a sign of it means anything
        spelled = re.sub(r'(["$`\\])', r"\\\1", spelled)
    return f'"{spelled}"'


def limit_of(node: Node) -> str | None:
    """Return how often something is repeated."""
    return number_of(member_of(node, *_COUNTS))


def pause_of(node: Node) -> str | None:
    """Return the seconds between two times."""
    delay = member_of(node, *_DELAYS)
    return None if delay is None else duration_of(delay)


def title_of(node: Node) -> str | None:
    """Return the name in the metadata of Kubernetes."""
    name = member_of(node, "name", "generatename")
    return as_yaml(name.text.rstrip("-")) if isinstance(name, ScalarNode) and name.text else None


def paths_of(node: Node) -> str | None:
    """Return the paths of files that a job keeps."""
    texts = texts_of(member_of(node, "paths", "path") or node)
    return ", ".join(texts) if texts else None


def target_of(node: Node) -> str | None:
    """Return where a module of Ansible writes a file, or None."""
    name = member_of(node, "dest")
    given = (pairs_of(node) or {}).get("dest") if isinstance(node, ScalarNode) else None
    return as_yaml(name.text) if isinstance(name, ScalarNode) else given


_HOOKS = {"push": "pre-push", "pullrequest": "pre-push", "commit": "pre-commit"}


def hook_of(node: Node) -> str | None:
    """Return the hook of git that is most like an event."""
    names = [name for name, _ in node.texts()] if isinstance(node, MappingNode) else None
    events = (names or texts_of(node) or ())[:1]
    return next((_HOOKS.get(folded(event)) for event in events), None)


_CRON = re.compile(r"(?:@[a-z]+|(?:[\d*/,A-Za-z-]+\s+){4}[\d*/,A-Za-z-]+)")


def cron_of(node: Node) -> str | None:
    """Return a time in the spelling of cron that stands somewhere in a value, or None."""
    match node:
        case ScalarNode() if node.text in {"hourly", "daily", "weekly", "monthly", "yearly"}:
            return f"@{node.text}"
        case ScalarNode() if _CRON.fullmatch(node.text.strip()):
            return node.text.strip()
        case SequenceNode():
            return next((cron for item in node.items if (cron := cron_of(item))), None)
        case MappingNode():
            return next((cron for _, item in node.texts() if (cron := cron_of(item))), None)
        case _:
            return None


_FLOW_NAME = re.compile(r"[\w./-]+\.ya?ml")


def file_of(node: Node) -> str | None:
    """Return the name of a file of YAML, or None."""
    texts = texts_of(node) or []
    return texts[0] if len(texts) == 1 and _FLOW_NAME.fullmatch(texts[0]) else None


def newer_of(node: Node) -> str | None:
    """Return the first file of a list, or a file, or None."""
    texts = texts_of(node) or []
    return as_yaml(texts[0]) if texts and not re.search(r"[*?\[\s]", texts[0]) else None
