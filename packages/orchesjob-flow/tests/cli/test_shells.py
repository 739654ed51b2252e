"""What a shell inserts after TAB means the run key that was meant, and nothing else (rule 9.15)."""

import shutil
import subprocess

import pytest

from orchesjob_flow.cli.shells import SHELLS, Typed, quoted_for_bash, read_line

KEYS = [
    *("plain-1", "a b", "$(touch x)", "`id`", "it's", 'say "no"', "a\\b", "!!", "#x", "~", "*?[a]"),
    *("-x", "a;b|c&d", "{1,2}", "<in>", "a:b=c@d", "日 本", "\\", "$HOME", "'", '"', "^a^b"),
]


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_quoted_for_bash(quote: str) -> None:
    """Each key is read back by bash, after an open quotation mark and after none."""
    words = [f"{quote}{quoted_for_bash(key, quote)}{quote}" for key in KEYS]
    bash = shutil.which("bash")
    assert bash is not None
    script = f"printf '%s\\n' {' '.join(words)}"
    for options in (["-c"], ["-H", "-c"]):  # with the history's `!` too
        read = subprocess.run([bash, *options, script], capture_output=True, text=True, check=True)
        assert read.stdout.splitlines() == KEYS


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_read_back(quote: str) -> None:
    """What bash was given is read back from its line, also before the last mark is closed."""
    for key in KEYS:
        line = f"x  {quote}{quoted_for_bash(key, quote)}"
        assert read_line(line) == Typed(["x"], key, quote if not line.endswith("\"'!'\"") else '"')
        assert read_line(f"{line}{quote} ") == Typed(["x", key], "", "")


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("", Typed([], "", "")),
        ("a\\", Typed([], "a", "")),
        ('a "b\\', Typed(["a"], "b", '"')),
        ("a ''", Typed(["a"], "", "")),
        ("a '' ", Typed(["a", ""], "", "")),
        ("a\tb'c'\"d\"\\e", Typed(["a"], "bcde", "")),
    ],
)
def test_lines(line: str, typed: Typed) -> None:
    """A line may stop anywhere."""
    assert read_line(line) == typed


def test_zsh_and_fish_quote_themselves() -> None:
    """Their scripts hand words over as they are, to what quotes them."""
    zsh, fish = (SHELLS[name].source_template for name in ("zsh", "fish"))
    (added,) = (line.strip() for line in zsh.splitlines() if "compadd" in line)
    assert (
        added == "(( $#values )) && compadd -V unsorted -l -d remarks -a values"
    )  # neither -Q nor -U
    assert "string sub --start 7 -- $line" in fish
    assert "eval" not in zsh.replace("zsh_eval_context", "") + fish
