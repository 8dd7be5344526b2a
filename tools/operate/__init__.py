"""The operator's commands: `python -m tools --help`."""
