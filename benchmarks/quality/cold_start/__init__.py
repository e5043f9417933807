"""What new users and new items get, measured on the last label window: `python -m benchmarks.quality.cold_start`."""
