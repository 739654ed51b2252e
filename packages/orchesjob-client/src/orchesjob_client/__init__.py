"""A typed wrapper of the orchesjob command."""
