"""Finds the log lines about a signature request by CloudWatch Logs Insights."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.parsers import ResponseParserError

from certificates.aws import AwsError
from tools.operate.command_line import describe_error
from tools.operate.evidence.record import Logs
from tools.operate.target import Target

OUTPUTS = ("DownloadCertificateLogGroupName", "ArchiveCertificateLogGroupName")
LIMIT = 10_000
"""The most lines that one query can return."""

QUERY = """filter signature_id = "{id}"
| fields @timestamp, message, request_id, method, status, code, key_prefix, project_id, source, bytes, error
| sort @timestamp asc | limit {limit}"""
PAUSE, ATTEMPTS = 1.0, 300


class LogsUnavailable(Exception):
    """The message says why."""


def read_logs(target: Target, id_: str, since: datetime | None) -> Logs:
    """Reads the lines from `since` on, by default all that are kept. Raises LogsUnavailable."""
    if target.is_local:
        raise LogsUnavailable("the local stack has no logs")
    groups = [target.outputs[name] for name in OUTPUTS if name in target.outputs]
    if len(groups) < len(OUTPUTS):
        raise LogsUnavailable("the stack does not name its log groups: deploy this version first")
    until = datetime.now(UTC)
    try:
        return _query(target.logs(), groups, id_, since, until)
    except AwsError as error:
        raise LogsUnavailable(describe_error(error).removesuffix(".")) from error
    except (LookupError, ResponseParserError) as error:  # botocore parses a non-JSON body as an empty response
        raise LogsUnavailable("AWS gave no usable response") from error


def _query(client: Any, groups: list[str], id_: str, since: datetime | None, until: datetime) -> Logs:
    found = client.describe_log_groups(logGroupIdentifiers=groups)["logGroups"]
    if {group["logGroupName"] for group in found} != set(groups):
        raise LogsUnavailable("a log group does not exist any more")
    since = since or min(_find_start(group, until) for group in found)
    text = QUERY.format(id=id_, limit=LIMIT)
    times = {"startTime": int(since.timestamp()), "endTime": int(until.timestamp()) + 1}
    query = client.start_query(logGroupNames=groups, queryString=text, **times)["queryId"]
    for _ in range(ATTEMPTS):
        answer = client.get_query_results(queryId=query)
        if answer["status"] == "Complete":
            rows = [{cell["field"].removeprefix("@"): cell["value"] for cell in row} for row in answer["results"]]
            lines = [{name: value for name, value in row.items() if name != "ptr"} for row in rows]
            return Logs(groups=groups, since=since, until=until, lines=lines)
        if answer["status"] not in ("Scheduled", "Running"):
            break
        time.sleep(PAUSE)
    raise LogsUnavailable(f"the query ended as {answer['status']}")


def _find_start(group: dict[str, Any], now: datetime) -> datetime:
    """Returns when the oldest line that is kept may have been written."""
    created = datetime.fromtimestamp(group["creationTime"] / 1000, UTC)
    days = group.get("retentionInDays")
    return max(created, now - timedelta(days=days)) if days else created
