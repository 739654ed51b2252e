"""The record of flow runs in SQLite."""
