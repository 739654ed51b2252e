"""Each command as its user sees it: what it prints, what it does, how it ends.

A module is named as its command. What concerns several has a name of its own: `test_detach` (the
background runner of `-d`), `test_progress` (stderr while a run is advanced), `test_run_keys`.
"""
