"""What happened in a run, as a page for people and as files for other programs.

The facts are computed once from the records; each format is written from them alone.
"""
