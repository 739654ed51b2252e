"""`run`: a flow file is run once, under a key made for that (rule 6.12)."""

import random
import string
import time
import unicodedata
from collections.abc import Callable

from orchesjob_flow.commands.flow_files import load_to_run
from orchesjob_flow.commands.given import FlowSource, Given
from orchesjob_flow.commands.start import StartOptions, start_from
from orchesjob_flow.commands.value_lists import lists_here
from orchesjob_flow.home.paths import LONGEST_RUN_KEY, UNPRINTABLE
from orchesjob_flow.home.runs import RunHandle, patiently
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.views.streams import warn

LETTERS = string.ascii_lowercase + string.digits
MARK_LENGTH = 4
TIME_FORMAT = "%Y%m%dT%H%M%S"


def run(
    settings: Settings,
    flow_file: str,
    given: Given,
    options: StartOptions,
    tell_run: Callable[[str], None],
) -> int:
    """Start a run of a flow file under a fresh key, which is shown first."""
    # Whoever takes the flow from this list is the only one who keeps it in memory.
    flows = [load_to_run(flow_file, given, lists_here(flow_file))]
    handle = RunHandle(fresh_key(flows[0].flow_id), settings)
    while patiently(settings, handle.is_recorded):
        handle = RunHandle(fresh_key(flows[0].flow_id), settings)
    tell_run(handle.run_key)
    warn(f"the run key is {handle.run_key}")
    return start_from(handle, FlowSource(flow_file, flows.pop), options)


def fresh_key(flow_id: str) -> str:
    """Return a key for a run that begins now: its flow, the local time, and a random mark."""
    name = "".join("_" if unicodedata.category(c) in UNPRINTABLE else c for c in flow_id)
    mark = "".join(random.SystemRandom().choices(LETTERS, k=MARK_LENGTH))
    ending = f"-{time.strftime(TIME_FORMAT)}-{mark}"
    return name[: LONGEST_RUN_KEY - len(ending)] + ending
