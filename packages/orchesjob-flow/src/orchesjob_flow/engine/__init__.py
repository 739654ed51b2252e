"""The engine's functional core: `update(run, event, now)` says what to record and what to do.

Nothing in this package asks for the time, touches a file, starts a process or prints. The same run,
event and moment always give the same decision, so that every rule can be tried without any of them.
"""

from orchesjob_flow.engine.update import update

__all__ = ["update"]
