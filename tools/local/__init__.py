"""The service on one machine: no AWS account, no Docker. `python -m tools.local` starts it."""
