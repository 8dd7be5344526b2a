"""A small reference of RFC 9110's conditional and range requests, for one representation with a strong entity tag.

Where the RFC leaves a choice, it is the service's: several ranges are ignored, and so is what is malformed but for a
malformed If-Match, which matches nothing. A range without an end is served to its end or not at all.
"""

from collections.abc import Mapping

OWS = " \t"


def respond(headers: Mapping[str, str], etag: str, size: int, most: int) -> tuple[int, range]:
    """Status and positions of the bytes that are sent, at most `most`, in the order of section 13.2.2."""
    nothing = range(0)
    if "If-Match" in headers and not _names(headers["If-Match"], [etag]):
        return 412, nothing
    if "If-None-Match" in headers and _names(headers["If-None-Match"], [etag, f"W/{etag}"]):
        return 304, nothing
    asked = _asked(headers.get("Range", ""), size)
    if asked is None or headers.get("If-Range", etag).strip(OWS) != etag:
        return (200, range(size)) if size <= most else (413, nothing)
    if not asked:
        return 416, nothing
    is_open_ended = headers["Range"].rstrip(OWS + ",").endswith("-")
    return (413, nothing) if is_open_ended and len(asked) > most else (206, asked[:most])


def _names(condition: str, tags: list[str]) -> bool:
    """Section 13.1.1: a list of entity tags, or an asterisk, which any representation matches."""
    if condition.strip(OWS) == "*":
        return True
    named = _entity_tags(condition)
    return any(tag in named for tag in tags)


def _entity_tags(text: str) -> list[str]:
    """Section 8.8.3, character by character. None of them if there is anything else."""
    found, at = [], 0
    while at < len(text):
        if text[at] in OWS + ",":
            at += 1
            continue
        opening = at + 2 if text.startswith("W/", at) else at
        closing = text.find('"', opening + 1)
        if text[opening : opening + 1] != '"' or closing < 0:
            return []
        if not all(
            char == "!" or "#" <= char <= "~" or "\x80" <= char <= "\xff" for char in text[opening + 1 : closing]
        ):
            return []
        found.append(text[at : closing + 1])
        at = closing + 1
    return found


def _asked(field: str, size: int) -> range | None:
    """Section 14.1.2: the positions that one byte range asks for, and which of them there are. None: ignored."""
    unit, _, ranges = field.partition("=")
    specs = [spec.strip(OWS) for spec in ranges.split(",") if spec.strip(OWS)]
    if unit.strip(OWS).lower() != "bytes" or len(specs) != 1:
        return None
    first, dash, last = specs[0].partition("-")
    if not dash or not first + last or not set(first + last) <= set("0123456789"):
        return None
    if not first:
        return range(size)[size - min(int(last), size) :]
    if last and int(last) < int(first):
        return None
    return range(size)[int(first) : int(last) + 1 if last else size]
