"""Compares the cost of the service with other ways to build it: `python -m develop.bench`."""
