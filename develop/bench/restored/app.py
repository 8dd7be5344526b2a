"""Our function after the hooks that the runtime client runs around a snapshot. The emulator takes no snapshots."""

from awslambdaric.lambda_runtime_hooks_runner import run_after_restore, run_before_snapshot

from functions.download_certificate import handler as download

run_before_snapshot()
run_after_restore()


def handler(event, context):
    return download.handler(event, context) if event else {}
