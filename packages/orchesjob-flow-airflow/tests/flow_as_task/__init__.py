"""A whole flow as one task: its operator and its trigger, on the real programs."""
