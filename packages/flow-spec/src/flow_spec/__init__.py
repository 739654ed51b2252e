"""Flow files: YAML or JSON read into a validated graph of steps."""
