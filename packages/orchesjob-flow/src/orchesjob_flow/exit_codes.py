"""The exit codes of the program (rule 6.9)."""

DONE = 0
"""The command did what it was asked to do. One that returns no exit code has this one."""
NOT_SUCCEEDED = 1
"""The run ended FAILED or CANCELLED, `doctor` has found a problem, or a case of `test` failed."""
WRONG = 2
"""Something is wrong with the call, the flow file or the machine; or the result was lost."""
UNFINISHED = 8
"""The run has not ended yet, which was asked about."""
SIGNALLED = 128
"""A signal's number is added: 130, 143, 129."""
UNREAD = SIGNALLED + 13
"""Nobody reads the result any more: what a shell says of programs that SIGPIPE ends."""
