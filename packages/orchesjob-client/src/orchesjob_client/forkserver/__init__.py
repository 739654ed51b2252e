"""Calls of orchesjob without its start: a fork server that has imported orchesjob forks each call.

`server` runs in orchesjob's own Python and imports nothing of ours; `launcher` is its client, and
forks a call only if that is certain to be the same as a plain one.
"""
