"""Processes of jobs: finding, identifying, watching and ending them.

No orchesjob is called here; calling it belongs to `client`.
"""
