"""The command line as click sees it: its sections, shared options, completion and advice."""
