"""The engine and its loop, driven through whole runs in virtual time against a simulated machine.

Real: `update`, `Runner`, the store. Simulated: the clocks, orchesjob, every process. Only the
tests in this folder use them.
"""
