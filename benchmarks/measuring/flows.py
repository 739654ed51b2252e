"""The flows that are run: nothing but their YAML."""

from collections.abc import Iterable, Sequence

NO_OP = '["true"]'  # in quotes: a bare `true` is no text in YAML


def independent(count: int, command: str = NO_OP) -> str:
    """Spell steps that wait for nothing."""
    return document(step(f"s{number}", command) for number in range(count))


def chain(count: int, command: str = NO_OP) -> str:
    """Spell steps that run one after the other."""
    return document(
        step(f"s{number}", command, [f"s{number - 1}"] if number else []) for number in range(count)
    )


def diamond(ranks: int, width: int, command: str = NO_OP) -> str:
    """Spell ranks of steps, each of which waits for every step of the rank before."""
    return document(
        step(
            f"r{rank}s{number}",
            command,
            [f"r{rank - 1}s{before}" for before in range(width)] if rank else [],
        )
        for rank in range(ranks)
        for number in range(width)
    )


def lanes(ranks: int, width: int, command: str = NO_OP) -> str:
    """Spell ranks of steps, each of which waits for one step of the rank before."""
    return document(
        step(f"r{rank}s{number}", command, [f"r{rank - 1}s{number}"] if rank else [])
        for rank in range(ranks)
        for number in range(width)
    )


def layers(count: int, width: int, command: str = NO_OP) -> str:
    """Spell steps of which each has copies, and waits for all copies of the step before."""
    copies = ", ".join(str(number) for number in range(1, width + 1))
    return document(
        f"  - foreach: {{COPY: [{copies}]}}\n    steps:\n"
        f"      - {{id: layer{number}, command: {command}{after}}}\n"
        for number in range(count)
        for after in (f", when: layer{number - 1}" if number else "",)
    )


def step(name: str, command: str, after: Sequence[str] = ()) -> str:
    """Spell one step."""
    when = f"    when: {' && '.join(after)}\n" if after else ""
    return f"  - id: {name}\n{when}    command: {command}\n"


def document(steps: Iterable[str]) -> str:
    """Spell a whole flow file."""
    return "flow_id: benchmark\nsteps:\n" + "".join(steps)
