"""Calls of orchesjob without its start: they are forked from a helper that has imported it already.

`server` runs in orchesjob's own Python and imports nothing of ours, `launcher` asks it, `sameness`
says when nobody could tell such a call from a plain one.
"""
