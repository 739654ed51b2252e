"""Flow files as text and as trees: reading a file, YAML, JSON. Values have no meaning here."""
