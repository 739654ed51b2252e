"""Warnings about valid flow files, and the proofs behind them (rule 11.2)."""
