"""The words of a step's command reach its process unchanged (rules 2.2 and 2.5)."""

import json
import sys
from pathlib import Path

import pytest

from support.flow import Flow

WORDS = [
    *("no", "on", "yes", "true", "null", "~", "1_0", "0x1F", "0o17", "1e3", "007", ".5", "+1"),
    *("2026-05-07", "12:30:00", "190:20:30", ".inf", ".NaN", "-x", "--", "--all", "=", "a: b"),
    *("!a", "&x", "*x", "$HOME", "$(id)", "a b", "", "'", '"', "\\n", "a\nb", "\t", "日本", "🎉"),
]
PLAIN = "no, on, yes, true, null, ~, 1_0, 0x1F, 0o17, 1e3, 007, .5, +1, 2026-05-07, 12:30:00"


def printer(path: Path) -> list[str]:
    program = "import json, sys; json.dump(sys.argv[2:], open(sys.argv[1], 'w'))"
    return [sys.executable, "-X", "utf8", "-c", program, str(path)]


@pytest.mark.integration
def test_plain_scalars(real_flow: Flow, tmp_path: Path) -> None:
    """Unquoted YAML scalars arrive as written, whatever type YAML gives them (rule 2.5)."""
    words = [*map(json.dumps, printer(tmp_path / "words")), PLAIN]
    (tmp_path / "flow.yaml").write_text(
        f"flow_id: no\nsteps:\n  - id: on\n    command: [{', '.join(words)}]\n", encoding="utf-8"
    )
    run = real_flow.start("1_0", "flow.yaml")
    assert json.loads((tmp_path / "words").read_text(encoding="utf-8")) == PLAIN.split(", ")
    assert (run["flow_id"], run["steps"][0]["id"]) == ("no", "on")


@pytest.mark.integration
def test_any_words(real_flow: Flow, tmp_path: Path) -> None:
    """No shell and no option parser comes between a flow file and its commands (rule 2.2)."""
    command = [*printer(tmp_path / "words"), *WORDS]
    run = real_flow.start("k", real_flow.write({"id": "a", "command": command}))
    assert json.loads((tmp_path / "words").read_text(encoding="utf-8")) == WORDS
    recorded = run["steps"][0]["orchesjob_status"]["command"]
    assert recorded[-len(command) :] == command  # led by others where the locale is not in UTF-8
