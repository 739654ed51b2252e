"""`drive`, which is hidden: the background process of `start -d` and its like (rule 4.5)."""

from functools import partial

from orchesjob_flow import exit_codes
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.runner import assembly, background
from orchesjob_flow.views.run_json import print_run


def drive(handle: RunHandle, *, lock_descriptor: int, pipe: int) -> int:
    """Drive a run under the lock that the parent has handed on, and print the run into the log."""
    lock = background.inherit_lock(handle, lock_descriptor)
    with handle.open() as store:
        goes_on = partial(background.say_it_goes_on, pipe)
        run = assembly.drive(handle, store, lock, when_it_goes_on=goes_on)
    print_run(run)
    return exit_codes.of_run(run)
