"""Where databases, logs and locks are, and how a recorded run is found."""
