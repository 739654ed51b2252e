"""The tasks of a flow: its first, its last, and one for each step."""
