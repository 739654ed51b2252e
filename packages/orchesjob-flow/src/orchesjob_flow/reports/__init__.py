"""What happened in a run, for somebody who was not there: a page, and files for other programs.

`facts` is made once from what is recorded; each format is written from it and reads nothing else.
"""
