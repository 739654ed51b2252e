"""A whole flow as one task: orchesjob-flow runs it on the worker's host, and the task waits."""
