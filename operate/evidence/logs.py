"""Finds the log lines about a signature request by CloudWatch Logs Insights."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.parsers import ResponseParserError

from operate.evidence.record import LogLine, Logs
from operate.stack import DeployedStack

OUTPUTS = ("DownloadCertificateLogGroupName", "ArchiveCertificateLogGroupName")
LIMIT = 10_000
"""The most lines that one query can return."""

_QUERY = """filter signature_id = "{id}" and message {operator} \
["certificate_archived", "already_archived", "archive_write_failed", "certificate_served"]
| fields @timestamp, message, request_id, method, status, code, key_prefix, project_id, source, bytes, error
| sort @timestamp asc | limit {limit}"""
PAUSE, ATTEMPTS = 1.0, 300


class LogsUnavailable(Exception):
    """The message says why."""


def read_logs(stack: DeployedStack, id_: str, since: datetime | None) -> Logs:
    """Reads the lines from `since` on, by default all that are kept. Raises AwsError and LogsUnavailable."""
    if stack.is_local:
        raise LogsUnavailable("the local stack has no logs")
    groups = [stack.outputs[name] for name in OUTPUTS if name in stack.outputs]
    if len(groups) < len(OUTPUTS):
        raise LogsUnavailable("the stack does not name its log groups: deploy this version first")
    until = datetime.now(UTC)
    client = stack.client("logs")
    try:
        found = client.describe_log_groups(logGroupIdentifiers=groups)["logGroups"]
        if {group["logGroupName"] for group in found} != set(groups):
            raise LogsUnavailable("a log group does not exist any more")
        starts = [_find_start(group, until) for group in found]
        first = since or min(starts)
        # Refusals have a query of their own: anyone can cause them, and fill what one query returns.
        lines, other_lines = (
            _query(client, groups, _QUERY.format(id=id_, operator=operator, limit=LIMIT), first, until)
            for operator in ("in", "not in")
        )
        return Logs(groups=groups, since=max(*starts, first), until=until, lines=lines, other_lines=other_lines)
    except (LookupError, ResponseParserError) as error:  # botocore parses a non-JSON body as an empty response
        raise LogsUnavailable("AWS gave no usable response") from error


def _query(client: Any, groups: list[str], text: str, since: datetime, until: datetime) -> list[LogLine]:
    times = {"startTime": int(since.timestamp()), "endTime": int(until.timestamp()) + 1}
    query = client.start_query(logGroupNames=groups, queryString=text, **times)["queryId"]
    for _ in range(ATTEMPTS):
        response = client.get_query_results(queryId=query)
        if response["status"] == "Complete":
            rows = [{cell["field"].removeprefix("@"): cell["value"] for cell in row} for row in response["results"]]
            return [{name: value for name, value in row.items() if name != "ptr"} for row in rows]
        if response["status"] not in ("Scheduled", "Running"):
            break
        time.sleep(PAUSE)
    raise LogsUnavailable(f"the query ended as {response['status']}")


def _find_start(group: dict[str, Any], now: datetime) -> datetime:
    """Returns from when on a log group has all lines that were written."""
    created = datetime.fromtimestamp(group["creationTime"] / 1000, UTC)
    days = group.get("retentionInDays")
    return max(created, now - timedelta(days=days)) if days else created
