"""`simulate`: a flow file is played through the engine; nothing is run and recorded (rule 11.3)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from flow_spec import FlowSpec
from orchesjob_flow import exit_codes
from orchesjob_flow.commands.flow_files import load_to_run
from orchesjob_flow.commands.given import Given
from orchesjob_flow.commands.simulate_endings import endings_json, endings_lines
from orchesjob_flow.commands.value_lists import lists_here
from orchesjob_flow.simulation.endings import endings_of
from orchesjob_flow.simulation.world import Played, Script, play
from orchesjob_flow.views.run_json import print_json
from orchesjob_flow.views.simulated import print_simulated, simulated_json
from orchesjob_flow.views.streams import Form, print_lines, warn


class Wanted(NamedTuple):
    """What is to happen in a simulation, by the names of the steps."""

    fail: Sequence[str] = ()
    skip: Sequence[str] = ()
    cancel_at: str | None = None


def simulate(flow_file: str, params: Mapping[str, str], wanted: Wanted, form: Form) -> int:
    """Print how a run of a flow file would go, and return the exit code that it would have.

    Raises:
        FlowFileError: It is no valid flow, or cannot run like this.
        UnknownStepError, PlayedTwice, NotSkippable, TooManyRetries: That cannot happen in it.
    """
    flow = load_to_run(flow_file, Given({}, params), lists_here(flow_file))
    played = play(flow, Script.of(flow, wanted.fail, wanted.skip, wanted.cancel_at))
    exit_code = exit_codes.of_run(played.run)
    if form is Form.JSON:
        print_json(simulated_json(played.run))
    else:
        print_simulated(played.run, exit_code)
    for message in not_played(flow, wanted, played):
        warn(message)
    return exit_code


def simulate_all(flow_file: str, params: Mapping[str, str], wanted: Wanted, form: Form) -> int:
    """Print all ways in which a run of a flow file can end.

    Raises:
        FlowFileError, UnknownStepError, PlayedTwice, NotSkippable, TooManyRetries: As above.
    """
    flow = load_to_run(flow_file, Given({}, params), lists_here(flow_file))
    script = Script.of(flow, wanted.fail, wanted.skip, wanted.cancel_at)
    endings = endings_of(flow, script)
    if form is Form.JSON:
        print_json(endings_json(flow, endings, wanted.cancel_at))
    else:
        print_lines(endings_lines(flow, endings))
    return exit_codes.DONE


def not_played(flow: FlowSpec, wanted: Wanted, played: Played) -> Iterator[str]:
    """Say of each name whose steps were to end in some way that none of them came to run."""
    for option, names in (("--fail", wanted.fail), ("--skip", wanted.skip)):
        for name in names:
            if played.outcomes.keys().isdisjoint(ids_of(flow, name)):
                yield f"{option} {name} changes nothing: nothing of {name} comes to its end"
    if wanted.cancel_at is not None and played.cancelled_at is None:
        yield f"--cancel-at {wanted.cancel_at} changes nothing: nothing of it begins"


def ids_of(flow: FlowSpec, name: str) -> Iterable[str]:
    """Return the ids of the steps that a name means."""
    return (step.id for step in flow.named(name))
