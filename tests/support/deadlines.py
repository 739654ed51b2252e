"""How long a test waits for what must happen. It takes that long only if something is broken."""

EVENT_SEC = 30.0  # one thing that somebody is about to do, on a machine with other work
CALL_SEC = 60.0  # a whole call of a command
