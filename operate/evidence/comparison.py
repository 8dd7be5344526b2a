"""Compares what is known about one certificate with each other: a difference is a contradiction."""

from collections.abc import Callable, Container, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote as percent_encode
from urllib.parse import unquote

from certificates.archive import MAX_REQUEST_ID_CHARACTERS
from certificates.certificate import is_whole_pdf
from operate.evidence.checks import Check, confirm, contradict, format_time, leave_open, quote
from operate.evidence.logs import LIMIT
from operate.evidence.record import Certificate, Hold, LogLine, Logs, SecondCopy, Version
from operate.seals.proof import Proof, find_problem
from operate.seals.seals import name_object

CLOCK_SKEW = timedelta(minutes=15)
"""The most that two sound times of one event differ: S3 refuses a request whose clock is further off.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, RequestTimeTooSkewed
"""


def check_certificate(certificate: Certificate, content: bytes) -> Iterator[Check]:
    created = format_time(certificate.created_at)
    which = f"version {quote(certificate.version_id)} of {certificate.size:,} bytes, created at {created}"
    yield confirm("certificate", f"The archive has it: {which}.")
    computed, words = certificate.sha256_computed, "the SHA-256 that S3 stored when it was archived."
    if certificate.sha256_stored is None:
        yield leave_open("SHA-256", "S3 has stored no SHA-256 of the whole certificate.")
    elif certificate.sha256_stored == computed:
        yield confirm("SHA-256", f"The certificate has {words}")
    else:
        yield contradict("SHA-256", f"The certificate does not have {words}")
    if certificate.sha256_in_metadata not in (None, computed):
        yield contradict("SHA-256", "The certificate does not have the SHA-256 in the version's metadata.")
    if certificate.sha256_in_folder == computed:
        yield confirm("copy", "The copy in this folder is the archived certificate, byte for byte.")
    else:
        yield contradict("copy", "The copy in this folder differs from the archived certificate.")
    if is_whole_pdf(content):
        yield confirm("whole PDF", "The certificate is a whole PDF.")
    else:
        yield contradict("whole PDF", "The certificate is not a whole PDF.")
    until = certificate.retained_until
    if until is None or until < datetime.now(UTC):
        words = "S3 states no retention: it has ended, there is none, or s3:GetObjectRetention is missing."
        yield leave_open("retention", words)
    else:
        words = f"S3 Object Lock ({quote(certificate.retention_mode)}) retains this version until {format_time(until)}."
        yield confirm("retention", words)


def check_versions(certificate: Certificate | None, versions: list[Version]) -> Iterator[Check]:
    if surplus := _find_surplus(versions):
        yield contradict("versions", f"The key was overwritten or deleted ({surplus}).")
    elif versions and certificate:
        yield confirm("versions", "The key has one version and no delete marker now.")
    if certificate is None:
        return
    listed = next((one for one in versions if one.version_id == certificate.version_id), None)
    if listed is None:
        yield contradict("versions", "The version that was read is not in S3's list of the key's versions.")
    elif listed.size != certificate.size:
        words = f"S3 lists the version with {listed.size:,} bytes; {certificate.size:,} were read."
        yield contradict("versions", words)


def _find_surplus(versions: list[Version]) -> str:
    """Returns the numbers of versions and delete markers if a key has more than one version, or an empty text."""
    markers = sum(one.is_delete_marker for one in versions)
    copies = len(versions) - markers
    return f"versions: {copies}, delete markers: {markers}" if markers or copies > 1 else ""


def check_origin(certificate: Certificate, named: str | None) -> Iterator[Check]:
    """`named` is the provider's request in the signature request."""
    recorded = certificate.metadata.get("provider-request-id")
    yield _check_fetch_time(certificate.created_at, certificate.metadata.get("fetched-at"))
    names = f"the signature request names {quote(named)}" if named else "the signature request names none"
    if recorded is not None:
        words = f"It was fetched as the provider's request {quote(unquote(recorded))}"
        is_right = unquote(recorded) == named
        yield confirm("origin", f"{words}.") if is_right else contradict("origin", f"{words}; {names}.")
    elif "fetched-at" not in certificate.metadata or not named:
        yield leave_open("origin", "As which request of the provider it was fetched is not recorded with it.")
    elif len(percent_encode(named, safe="")) > MAX_REQUEST_ID_CHARACTERS:
        yield leave_open("origin", "The provider's request is not recorded with it: its id is too long.")
    else:
        yield contradict("origin", f"It was fetched without a record of the provider's request; {names}.")


def _check_fetch_time(created_at: datetime, text: str | None) -> Check:
    if text is None:
        return leave_open("fetch time", "When it was fetched is not recorded with it.")
    try:
        time = datetime.fromisoformat(text)
        difference, words = abs(created_at - time), f"It was fetched at {format_time(time)}"
    except (TypeError, ValueError, OverflowError):  # TypeError: it has no offset
        return leave_open("fetch time", f"The time of its fetch is recorded as {quote(text)}, which is not a time.")
    if difference > CLOCK_SKEW:
        return contradict("fetch time", f"{words}, but this version was created at {format_time(created_at)}.")
    return confirm("fetch time", f"{words}, within 15 minutes of this version's creation.")


def check_second_copy(certificate: Certificate, copy: SecondCopy) -> Check:
    if surplus := _find_surplus(copy.versions):
        return contradict("second copy", f"The second copy was overwritten or deleted ({surplus}).")
    if not copy.versions:
        return leave_open("second copy", "The second copy does not have it, or does not have it yet.")
    if copy.versions[0].size != certificate.size or copy.sha256 not in (certificate.sha256_computed, None):
        return contradict("second copy", "The second copy differs from the certificate.")
    if copy.sha256 is None:
        return leave_open("second copy", "The second copy has the same size, and no SHA-256 of the whole certificate.")
    return confirm("second copy", "The second copy has one version now, with the SHA-256 of the certificate.")


def check_seals(certificate: Certificate | None, proofs: list[Proof], reported: list[tuple[str, str]]) -> Check:
    """`reported` are the problems of the archive's seals, each with a key. No problem of trust is a contradiction."""
    if not proofs:
        lost = sorted(key for problem, key in reported if problem in {"missing", "wrong_list"})
        words = f"No seal that can be read has it. Missing or altered objects of seals: {len(lost):,}"
        return leave_open("seal", f"{words}, the first is {quote(lost[0])}." if lost else "It is not sealed yet.")
    proof, *renewals = proofs
    sealed = f"Sealed at {format_time(proof.stamp.time)} by {quote(proof.stamp.authority)}"
    if problem := find_problem(proofs):
        return leave_open("seal", f"{sealed}, but the time stamp does not convince: {problem}.")
    own = {name_object(one.seal, kind) for one in proofs for kind in ("jsonl", "tst")}
    own |= {name_object(one.seal + 1, "jsonl") for one in proofs}  # names the token before it
    if found := [f"{key} ({problem})" for problem, key in reported if key in own]:
        return contradict("seal", f"{sealed}, but its seal is not as it was: {', '.join(sorted(found))}.")
    if certificate is None:
        return contradict("seal", f"{sealed}, but the archive does not have it now.")
    if (certificate.size, certificate.sha256_computed) != (proof.size, proof.sha256):
        return contradict("seal", f"{sealed}, but with another size or SHA-256.")
    if certificate.version_id != proof.version:  # the same bytes were archived again, for example restored
        sealed += f" as version {quote(proof.version)}, which this one has replaced since"
    again = [f"{format_time(one.stamp.time)} by {quote(one.stamp.authority)}" for one in renewals]
    return confirm("seal", "; its time stamp was stamped again at ".join([sealed, *again]) + ".")


def check_holds(certificate: Certificate, holds: list[Hold], *, is_held: bool) -> Check | None:
    """Returns None if there is no hold and no record of one. A project's hold covers what was archived before it."""
    if not holds:
        words = "S3 has a legal hold on this version, but no record says since when and why."
        return leave_open("hold", words) if is_held else None
    last = holds[-1]
    action = "set" if last.action == "set" else "released"
    words = f"The hold was {action} at {format_time(last.at)} by {quote(last.by)}, because {quote(last.reason)}."
    if is_held:
        return confirm("hold", f"S3 has a legal hold on this version. {words}")
    lasting: dict[str, bool] = {}
    for one in holds:  # of each scope, those since the last release count
        is_covered = lasting.get(one.scope, False) or (one.is_completed and one.at > certificate.created_at)
        lasting[one.scope] = one.action == "set" and is_covered
    if any(lasting.values()):
        return contradict("hold", f"S3 has no legal hold on this version, although it was not released. {words}")
    return leave_open("hold", f"S3 has no legal hold on this version, and may never have had one. {words}")


def check_logs(
    logs: Logs, project: str, certificate: Certificate | None, oldest: datetime | None, asked: datetime | None
) -> Iterator[Check]:
    """`oldest` is the earliest time that is known of the certificate or its signature request, and `asked` that from
    which log lines were to be read."""
    served = [line for line in logs.lines if line.get("message") == "certificate_served"]
    counts = f"downloads {_count(served, {'GET'}, {'200', '206'}):,}, HEAD {_count(served, {'HEAD'}, {'200', '206'}):,}"
    yield _count_lines(
        "downloads", logs, logs.lines, f"{counts}, not modified {_count(served, {'GET', 'HEAD'}, {'304'}):,}"
    )
    refused = sum(line.get("message") == "request_refused" for line in logs.other_lines)
    yield _count_lines("refusals", logs, logs.other_lines, f"refusals {refused:,}")
    if min(oldest or logs.since, asked or logs.since) < logs.since or oldest is None:
        sentence = f"Log lines before {format_time(logs.since)} have expired or were not asked for."
        yield leave_open("earlier logs", sentence)
    for other in sorted({line.get("project_id", "") for line in served} - {project}):
        yield contradict("project", f"It was served to another project, {quote(other)}.")
    if certificate and logs.lines:
        yield from _compare_lines(logs.lines, certificate)


def _count(served: list[LogLine], methods: set[str], statuses: set[str]) -> int:
    """Version 1.0 wrote no method, and served GET alone."""
    return sum(line.get("method", "GET") in methods and line.get("status") in statuses for line in served)


def _count_lines(subject: str, logs: Logs, lines: list[LogLine], found: str) -> Check:
    words = f"The log lines, complete since {format_time(logs.since)}, show: {found}"
    if len(lines) < LIMIT:
        return confirm(subject, f"{words}.")
    last = quote(lines[-1].get("timestamp", ""))
    return leave_open(subject, f"{words}, but nothing after {last}: a query returns {LIMIT:,} lines. Use --since.")


_COMPARISONS: dict[str, tuple[Callable[[str, str], Check], str]] = {
    "agrees": (confirm, "agree with the size and the creation of this version"),
    "size": (contradict, "report a certificate of another size"),
    "time": (contradict, "do not agree with the creation of this version"),
    "malformed": (leave_open, "could not be compared with this version"),
    "failed": (leave_open, "report a download after a failed write to the archive, maybe of other bytes"),
}


def _compare_lines(lines: list[LogLine], certificate: Certificate) -> Iterator[Check]:
    """A download after a failed write may have had other bytes than those that were archived later."""
    failed = {line.get("request_id") for line in lines if line.get("message") == "archive_write_failed"}
    found = [(_compare_line(line, certificate, failed), quote(line.get("timestamp", ""))) for line in lines]
    for result, (judge, words) in _COMPARISONS.items():
        if times := [time for other, time in found if other == result]:
            yield judge("log lines", f"Log lines that {words}: {len(times):,}, the first of {times[0]}.")


def _compare_line(line: LogLine, certificate: Certificate, failed: Container[str | None]) -> str | None:
    message, status = line["message"], line.get("status")
    if message == "archive_write_failed":
        return None
    if message == "certificate_served" and line.get("request_id") in failed:
        return "failed"
    try:
        delay = datetime.fromisoformat(line["timestamp"]).replace(tzinfo=UTC) - certificate.created_at
        if message == "certificate_archived" or status == "200":
            is_other_size = int(line["bytes"]) != certificate.size
        else:
            is_other_size = status == "206" and int(line["bytes"]) > certificate.size
    except (LookupError, ValueError):
        return "malformed"
    if is_other_size:
        return "size"
    is_late = message == "certificate_archived" and delay > CLOCK_SKEW
    return "time" if is_late or delay < -CLOCK_SKEW else "agrees"
