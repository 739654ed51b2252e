"""Mutation testing: each protection is taken out of a copy of the packages, and a test must fail.

A protection without such a test could be taken out by anybody, unnoticed. Called in the folder
above, `python -m mutation` makes one mutant after the other; `python -m mutation WORD` only those
whose name contains the word.
"""
