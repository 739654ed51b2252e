"""What each command does: one module for each command, named after it.

The function named after the command does it, prints its result, and returns the exit code. How a
command line is spelled is the matter of `cli`.
"""
