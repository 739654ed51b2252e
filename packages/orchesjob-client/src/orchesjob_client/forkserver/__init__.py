"""Calls of orchesjob without its start: a process that has imported orchesjob forks for each call.

`server` runs in orchesjob's own Python and imports nothing of ours; `launcher` is its client.
"""
