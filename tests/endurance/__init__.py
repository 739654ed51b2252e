"""Many runs at once, a long history, and runners killed at random; slow.

The sessions `storm` and `load` run these; a plain `pytest` does not collect them.
"""
