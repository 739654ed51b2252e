"""The repository itself: its architecture, its documents, its packages."""
