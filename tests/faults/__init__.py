"""What goes wrong around a run; one module for each cause.

The runner decides nothing that it does not know, and reports what is wrong (rules 5.7 to 5.10).
"""
