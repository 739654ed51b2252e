"""The imperative shell: the loop around the engine, and the process that it runs in."""
