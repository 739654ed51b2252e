"""Many runs at once, a long history, random commands, and runners killed at random; slow.

The sessions `storm`, `chaos` and `load` run these; a plain `pytest` does not collect them.
"""
