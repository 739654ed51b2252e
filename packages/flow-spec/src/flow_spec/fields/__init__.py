"""Fields of a flow file: the kinds of value, how each is read, and what can be wrong with it."""
