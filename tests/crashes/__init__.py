"""Processes killed at named points and at system calls, and how their runs end.

`launcher` is the command with points to die at; `scenarios` says what is killed and what resumes.
A plain `pytest` runs a choice of points (`test_points`), the session `storm` every one.
"""
