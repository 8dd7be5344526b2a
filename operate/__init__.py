"""The operator's commands: `certificates --help`."""
