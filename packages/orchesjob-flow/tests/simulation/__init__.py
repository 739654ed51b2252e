"""The engine and its loop, driven through whole runs in virtual time against a simulated machine.

Real: `update`, `Runner`, the store. Simulated: the clocks, orchesjob, every process. Most tests
arrange one situation; a storm (`storm`) is a randomised run with many kinds of faults.
"""
