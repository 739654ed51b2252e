"""The figures of many runs, counted from what each ended run did (rule 12.2)."""
