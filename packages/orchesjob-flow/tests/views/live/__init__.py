"""The live view on a terminal of any size."""
