"""The settings of a call, where databases, logs and locks are, and how a recorded run is found."""
