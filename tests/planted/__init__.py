"""Bugs that are planted into copies of the packages, to see that something notices each of them.

A protection without a test that fails when it is taken out may be taken out by anybody. Called in
the folder above, `python -m planted` plants one bug after the other.
"""
