"""The recipes of docs/recipes.md, run by the real daemons. The session `recipes` runs them.

They need root, to give each daemon a machine of its own: see `machine`.
"""
