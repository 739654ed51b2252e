"""The exit codes of orchesjob 1.1 that say more than "it failed".

What follows from one depends on the call; that is decided in `client`.
"""

USAGE = 2
"""The command line is wrong."""

NOT_FOUND = 3
"""There is no job with this key or id."""

NOT_RUNNING = 4
"""The job has ended already."""
