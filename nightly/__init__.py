"""Proves every template, and shows what it gives: `python -m nightly`, every night or now."""
