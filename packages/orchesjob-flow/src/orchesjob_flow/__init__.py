"""A daemonless runner for small graphs of dependent commands."""
