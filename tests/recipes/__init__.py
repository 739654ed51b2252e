"""The how-to guides for cron, SSH and systemd on the real daemons; need root.

Each daemon gets a machine of its own: see `machine`. The session `recipes` runs them.
"""
