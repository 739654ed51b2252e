"""The recipes for cron, sshd and systemd on the real daemons; need root.

Each daemon gets a machine of its own: see `machine`. The session `recipes` runs them.
"""
