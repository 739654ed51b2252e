"""The commands: one module for each, or a package where a command has parts, named after it.

The click function of that name is the command: it does the work, prints the result, and returns the
exit code. `cli` has the table of the commands, and what their command lines share.
"""
