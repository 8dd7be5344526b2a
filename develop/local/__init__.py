"""The service on one machine: no AWS account, no Docker. `python -m develop.local` starts it."""
