"""What the nine generated services cost beside bare ones; `python -m benchmarks.serving --help`."""
