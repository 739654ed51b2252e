"""`orchesjob-flow` without the cost of its start: forked from a process that has imported it.

`server` is that process; `client` asks it, where nobody could tell the difference.
"""
