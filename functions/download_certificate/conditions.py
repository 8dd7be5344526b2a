"""Conditional and range requests: the rules of RFC 9110 for one strong entity tag.

S3 evaluates simple conditions reliably, but not lists, `*`, weak tags and If-Range, so all are evaluated here.
"""

import re

from certificates.ranges import ByteRange

_ENTITY_TAG = re.compile(r'(?P<weak>W/)?(?P<opaque>"[\x21\x23-\x7e\x80-\xff]*")')
_BYTE_RANGE = re.compile(r"([0-9]*)-([0-9]*)")
_OWS = " \t"
# Longer numbers are beyond every certificate, and S3's own limit is unknown.
_MOST_DIGITS = 15


def matches_strongly(condition: str, etag: str) -> bool:
    """Evaluates If-Match (RFC 9110 section 13.1.1)."""
    return condition.strip(_OWS) == "*" or any(not tag["weak"] and tag["opaque"] == etag for tag in _tags(condition))


def matches_weakly(condition: str, etag: str) -> bool:
    """Evaluates If-None-Match (RFC 9110 section 13.1.2)."""
    return condition.strip(_OWS) == "*" or any(tag["opaque"] == etag for tag in _tags(condition))


def _tags(condition: str) -> list[re.Match[str]]:
    """Returns the entity tags of a list, or none if the list holds anything else."""
    others = _ENTITY_TAG.sub("", condition)
    return [] if others.strip(_OWS + ",") else list(_ENTITY_TAG.finditer(condition))


def range_still_applies(if_range: str, etag: str) -> bool:
    """Evaluates If-Range (RFC 9110 section 13.1.5). A date never matches, since we send no Last-Modified."""
    return if_range.strip(_OWS) == etag


def parse_range(header: str) -> ByteRange | None:
    """Returns the requested byte range, or None if the header must be ignored: another unit, several ranges, or a
    malformed one (RFC 9110 section 14.2)."""
    unit, _, ranges = header.partition("=")
    specs = [spec.strip(_OWS) for spec in ranges.split(",")]
    specs = [spec for spec in specs if spec]
    if unit.strip(_OWS).lower() != "bytes" or len(specs) != 1:
        return None
    match = _BYTE_RANGE.fullmatch(specs[0])
    if match is None:
        return None
    first, last = (_bounded(digits) if digits else None for digits in match.groups())
    if last is None:
        return None if first is None else ByteRange(first, None)
    return ByteRange(first, last) if first is None or first <= last else None


def _bounded(digits: str) -> int:
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _MOST_DIGITS else 10**_MOST_DIGITS
