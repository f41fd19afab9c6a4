"""What the nine generated services cost beside baselines; `python -m benchmarks.serving --help`."""
