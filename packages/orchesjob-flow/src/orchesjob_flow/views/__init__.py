"""How things look: JSON, tables, text and terminals. Nothing here decides anything."""
