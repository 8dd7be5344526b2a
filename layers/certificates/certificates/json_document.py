"""JSON of other programs: the provider's links, a token endpoint's responses, the credentials that operators saved."""

import json


def parse_json(document: bytes | str):  # type: ignore[no-untyped-def]  # noqa: ANN201 - any value
    """Ignores a byte-order mark, which PowerShell and WCF write (RFC 8259 section 8.1). So that one bad field does not
    hide the others, bytes that are not UTF-8 become lone surrogates, and integers too long for Python become infinity.

    Raises ValueError.
    """
    try:
        if isinstance(document, bytes):
            document = document.decode(json.detect_encoding(document), "surrogateescape")
        text = document.removeprefix("\ufeff")
        return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 300 else float(digits))
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def read_integer(value: object) -> int | None:
    """Returns the integer part of a number or of a text that holds one, and None for anything else."""
    try:
        return None if isinstance(value, bool) else int(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
