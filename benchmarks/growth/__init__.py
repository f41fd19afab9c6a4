"""What growing costs a generated service; `python -m benchmarks.growth --help`."""
