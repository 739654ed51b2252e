"""Shell syntax that no shell will see is found, and reasonable commands are left alone (11.2)."""

import pytest

from flow_spec.warnings.shell import shell_words

# Commands from real flows, crontabs and units; nothing is wrong with any of them.
HARMLESS: list[list[str]] = [
    ["sh", "-c", "ls *.csv | wc -l > $HOME/count"],
    ["bash", "-euo", "pipefail", "-c", "cd ~/work && make 2>&1 | tee log"],
    ["/bin/bash", "-lc", "source ~/.profile; run"],
    ["env", "LANG=C", "sh", "-c", "a || b"],
    ["flock", "/run/lock/load", "sh", "-c", "a && b"],
    ["ssh", "-i", "~/.ssh/id_backup", "host", "df -h", "|", "mail", "root"],
    ["kubectl", "exec", "pod", "--", "sh", "-c", "ls *"],
    ["find", "/srv", "-type", "f", "-exec", "gzip", "{}", ";"],
    ["grep", "|", "table.md"],
    ["git", "add", "*.py"],
    ["git", "commit", "-m", "Load & check; see `load`"],
    ["awk", "-F", "|", "$3 > 10 && $4 < 5 {print $1}", "orders.txt"],
    ["sed", "-i", "s/a|b/$HOME/; s/~/x/", "file"],
    ["cut", "-d;", "-f1", "orders.csv"],
    ["sort", "-t", ";", "-k", "2", "orders.csv"],
    ["tr", "|", ","],
    ["tr", "[a-z]", "[A-Z]"],
    ["column", "-t", "-s", "|", "table.txt"],
    ["expr", "3", "|", "2"],
    ["echo", "so \u201chot\u201d"],
    ["test", "-d", "offsite"],
    ["[", "-f", "/etc/backups/auto", "]"],
    ["jq", ".orders[] | select(.total > 10) | .id", "orders.json"],
    ["python3", "-c", "import os; print(os.environ['HOME'] > 'a' and 2 | 1)"],
    ["psql", "-c", "select * from orders where total > 10 || 'x'"],
    ["rsync", "-a", "--exclude=*.tmp", "host:~/data/", "/srv/data/"],
    ["curl", "-fsS", "https://example.org/odata?$filter=a&$top=5"],
    ["pytest", "-k", "load and not *slow*", "-q"],
    ["echo", "loaded 3 orders; 2 > 1 & all is well"],
    ["notify", "build took > 3 min"],
    ["pip", "install", "package>=1.0", "other[extra]"],
    ["printf", "%s\n", "<b>hi</b>"],
    ["cp", "a.txt", "a.txt~"],
    ["systemctl", "stop", "shop-*"],
    ["parallel", "gzip {} > {}.gz", ":::", "a", "b"],
    ["ffmpeg", "-i", "in%d.png", "-vf", "scale=2:1;[a]|[b]", "out.mp4"],
    ["mytool", "--template", "${name}-$id"],
    ["mytool", "--password", "pa$word&|"],
    ["mytool", "--expr", "a && b"],
]

# What people write who take the list for a command line; and the characters that are meant.
HARMFUL: list[tuple[list[str], str]] = [
    (["echo", "hi", "|", "grep", "x"], "|"),
    (["./load", "||", "true"], "||"),
    (["./load", "|&", "tee", "log"], "|&"),
    (["./a", ";", "./b"], ";"),
    (["./server", "&"], "&"),
    (["echo", "hi", ">", "out.txt"], ">"),
    (["pg_dump", "shop", ">/backups/shop.sql"], ">/backups/shop.sql"),
    (["./load", ">>load.log", "2>&1"], ">>load.log"),
    (["./load", "2>&1"], "2>&1"),
    (["./load", "2>", "errors.log"], "2>"),
    (["./load", "2>/dev/null"], "2>/dev/null"),
    (["./load", "&>", "all.log"], "&>"),
    (["./load", "<", "orders.csv"], "<"),
    (["diff", "<(sort a)", "<(sort b)"], "<(sort a)"),
    (["./load", "orders.csv > out.txt 2>&1"], "2>&1"),
    (["ls", "~"], "~"),
    (["rsync", "-a", "~/data/", "host:data/"], "~"),
    (["ls", "$HOME"], "$HOME"),
    (["cp", "${SOURCE}", "/srv"], "${SOURCE}"),
    (["tar", "czf", "backup-$(date +%F).tgz", "/srv"], "$(date +%F)"),
    (["touch", "`hostname`.done"], "`hostname`"),
    (["echo", "$ORCHESJOB_FLOW_RUN_KEY failed"], "$ORCHESJOB_FLOW_RUN_KEY"),
    (["./load", "$shop"], "$shop"),
    (["rm", "-rf", "work/*"], "work/*"),
    (["gzip", "part-[0-9a-f].csv"], "part-[0-9a-f].csv"),
    (["ls", "-la", "part-?.csv"], "part-?.csv"),
    (["mkdir", "-p", "out/{a,b}"], "out/{a,b}"),
    (["touch", "part-{1..3}"], "part-{1..3}"),
    (["timeout", "60", "./load", ">", "log"], ">"),
    (["./load", "$(shop)"], "$(shop)"),
    (["./load", "“a”"], "“a”"),
    (["./load", "a\xa0"], "a\xa0"),
]


@pytest.mark.parametrize("words", HARMLESS, ids=repr)
def test_reasonable_commands_are_left_alone(words: list[str]) -> None:
    """What a shell, another program or a person reads as it stands is no mistake."""
    assert list(shell_words(words)) == []


@pytest.mark.parametrize(("words", "meant"), HARMFUL, ids=repr)
def test_shell_syntax_is_found(words: list[str], meant: str) -> None:
    """The first thing that no shell will see is found, with its characters."""
    first = next(shell_words(words, {"shop"}))
    assert words[first.place][first.begin : first.end] == meant
