"""Reads objects of a PDF, and compares those of two revisions with everything that they refer to."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from pyhanko.pdf_utils import generic

_Pair = tuple[generic.Reference | None, generic.Reference | None]


def attempt[Result](read: Callable[[], Result]) -> Result | None:
    """Reads a part of a hostile PDF. Returns None if it can't be read."""
    return attempt_with_error(read)[0]


def attempt_with_error[Result](read: Callable[[], Result]) -> tuple[Result | None, str]:
    """Returns the result and an empty text, or else None and the kind of error. Hostile PDFs raise any.

    Raises MemoryError: the process has a limit, at which nothing more can be said about the PDF.
    """
    try:
        return read(), ""
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - RecursionError, too
        return None, type(error).__name__


def resolve(value: Any, *keys: str) -> Any:
    """Returns the object that a reference leads to, and from there these keys of dictionaries.

    Returns None for null, which a missing object is (ISO 32000-2, 7.3.10).
    """
    if isinstance(value, generic.IndirectObject):
        value = value.get_object()  # type: ignore[no-untyped-call]
    for key in keys:
        value = resolve(read_entries(value).get(key))
    return None if isinstance(value, generic.NullObject) else value


def read_entries(holder: Any, *keys: str) -> dict[str, Any]:
    """Returns the entries of a dictionary, which these keys lead to, or {} of anything else. Keeps references."""
    value = resolve(holder, *keys)
    if not isinstance(value, generic.DictionaryObject):
        return {}
    # The value of a signature is never encrypted (ISO 32000-2, 7.6.2).
    raw = {"/Contents": generic.EncryptedObjAccess.RAW} if "/ByteRange" in value else {}
    return {str(key): value.raw_get(key, raw.get(key, generic.EncryptedObjAccess.TRANSPARENT)) for key in value}


def read_items(holder: Any, *keys: str) -> list[Any]:
    """Returns the items of an array, which these keys lead to, or [] of anything else. Keeps references."""
    value = resolve(holder, *keys)
    return [value.raw_get(index) for index in range(len(value))] if isinstance(value, generic.ArrayObject) else []


def find_reference(value: Any) -> generic.Reference | None:
    return value.reference if isinstance(value, generic.IndirectObject) else None


def find_differences[Key](
    old: Mapping[Key, Any], new: Mapping[Key, Any], apart: Collection[generic.Reference]
) -> list[Key]:
    """Returns the keys whose values differ, or refer to objects that do. Compares each pair of references once, and
    does not follow those to the objects that are compared apart."""
    equal: set[_Pair] = set()
    return [key for key in {**old, **new} if not _is_same(old.get(key), new.get(key), equal, apart)]


def _is_same(old: Any, new: Any, equal: set[_Pair], apart: Collection[generic.Reference]) -> bool:
    """Adds the pairs of references that lead to equal objects."""
    seen: set[_Pair] = set()
    stack = [(old, new)]
    while stack:
        one, other = stack.pop()
        references = find_reference(one), find_reference(other)
        if references in equal or references in seen:
            continue
        if all(references):
            seen.add(references)
        one, other = resolve(one), resolve(other)
        is_stream = isinstance(one, generic.StreamObject) or isinstance(other, generic.StreamObject)
        if not is_stream and any(reference in apart for reference in references):
            if references[0] != references[1]:
                return False
            continue
        if _read_value(one) != _read_value(other):
            return False
        ignored = {"/Length"} if isinstance(one, generic.StreamObject) else set()
        if isinstance(one, generic.StreamObject) and one.encoded_data != other.encoded_data:
            if not _has_same_data(one, other):
                return False
            ignored |= {"/Filter", "/DecodeParms"}
        stack += zip(read_items(one), read_items(other), strict=True)
        entries, others = read_entries(one), read_entries(other)
        stack += [(entries.get(key), others.get(key)) for key in {**entries, **others} if key not in ignored]
    equal |= seen
    return True


def _read_value(value: Any) -> object:
    """Returns what equals only values of the same kind, without the contents of dictionaries, arrays and streams."""
    if isinstance(value, generic.NumberObject | generic.FloatObject):
        return float(value)
    if isinstance(value, generic.ArrayObject):
        return "array", len(value)
    if isinstance(value, generic.TextStringObject | generic.ByteStringObject):
        return "string", value.original_bytes
    return type(value), None if isinstance(value, generic.DictionaryObject) else str(value)


class UnknownData(Exception):
    """pyHanko can't decode the data of a stream, or decodes it wrongly."""


def _has_same_data(one: Any, other: Any) -> bool:
    """Raises UnknownData."""
    parameters = [read_entries(stream, "/DecodeParms") or read_items(stream, "/DecodeParms") for stream in (one, other)]
    is_same = attempt(lambda: bool(one.data == other.data))
    if any(parameters) or (is_same is None and resolve(one, "/Filter") != resolve(other, "/Filter")):
        raise UnknownData
    return bool(is_same)
