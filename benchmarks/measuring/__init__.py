"""What `benchmarks/speed.py` measures, one module per subject."""
