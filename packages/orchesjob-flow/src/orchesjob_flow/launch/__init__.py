"""What the commands share that start a run, or start it again.

They read what a flow runs with, record the run or open it again, and advance it here or in a
background process. The command line is in `cli`, and each command is in `commands`.
"""
