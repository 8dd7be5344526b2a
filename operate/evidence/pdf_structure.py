"""Finds where other readers may read a PDF differently from pyHanko.

A comparison of what pyHanko reads then proves nothing. Readers differ where a PDF breaks the rules of its structure
(ISO 32000-2, 7.5). Many repair it, and take the last object of each number in the file.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from pyhanko.pdf_utils import filters, generic
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.xref import ObjStreamRef, XRefSectionType, parse_xref_table

from operate.evidence.pdf_objects import UnknownData, attempt_with_error

repeated_keys: list[str] = []
"""What pyHanko warns of since the list was cleared: it takes the first of two entries with a key, others the last."""
generic.logger = SimpleNamespace(warning=repeated_keys.append)  # type: ignore[assignment]

_WS = rb"[\0\t\n\f\r ]"
_END = re.compile(rb"startxref" + _WS + rb"++([0-9]++)" + _WS + rb"++%%EOF" + _WS + rb"*+")
_HEADER = re.compile(_WS + rb"{0,2}+([0-9]++)" + _WS + rb"++([0-9]++)" + _WS + rb"++obj(?![A-Za-z])")
# What a reader may take for the beginning of an object, even with comments in it. The time is linear in the length.
_OBJECT = re.compile(
    rb"(?<![0-9])([0-9]++)" + _WS + rb"++(?:([0-9]++)" + _WS + rb"*+)?obj"
    rb"|(?<![\r\n])[\r\n]++[\0\t\f ]*+[0-9]*+obj(?![A-Za-z])"
)
_decode_flate = filters.FlateDecode.decode_bounded


def _decode(self: Any, data: bytes, parameters: Any, limit: int | None) -> Any:
    """Refuses what pyHanko decodes wrongly: predictors of several values, and of other kinds of rows than "Up"."""
    if isinstance(parameters, generic.DictionaryObject) and parameters.get("/Predictor", 1) != 1:
        kinds = set(_decode_flate(self, data, None, limit)[:: parameters["/Columns"] + 1])
        if kinds - {2} or parameters.get("/Colors", 1) != 1 or parameters.get("/BitsPerComponent", 8) != 8:
            raise UnknownData
    return _decode_flate(self, data, parameters, limit)


filters.FlateDecode.decode_bounded = _decode  # type: ignore[method-assign,assignment]


def find_ambiguity(reader: PdfFileReader, tail: bytes) -> str | None:
    """Returns why readers may read the whole file in another way, or None. `tail` is what follows a signed revision.

    Call it after the comparison, which reads the dictionaries.
    """
    content = reader.stream.getvalue()
    end = _END.fullmatch(content, content.rfind(b"startxref"))
    if not end or int(end[1]) != reader.last_startxref or tail.rpartition(b"%%EOF")[2].strip(b"\0\t\n\f\r "):
        return "something follows the last end of the PDF"
    if repeated_keys:
        return "a dictionary has two values for a key"
    return _find_problem(reader)


@lru_cache(maxsize=1)  # the same for all signatures of a file
def _find_problem(reader: PdfFileReader) -> str | None:
    reason, error = attempt_with_error(lambda: next(_find_problems(reader, reader.stream.getvalue()), None))
    return f"its structure is not understood ({error})" if error else reason


class _Listed(NamedTuple):
    """What the sections of cross-references list."""

    newest: dict[int, tuple[int, Any]]
    """The generation and place of each object, as the newest section has it."""

    all: set[tuple[int, int]]
    """The number and generation of each object that any section lists."""

    headers: set[int]
    """Where the headers of objects end that any section lists."""


def _find_problems(reader: PdfFileReader, content: bytes) -> Iterator[str]:
    listed = _Listed({}, set(), set())
    yield from _check_sections(reader, content, listed)
    for number, generation in listed.all:
        newest, place = listed.newest[number]
        if reader.xrefs[generic.Reference(number, generation, reader)] != (place if newest == generation else None):
            yield "readers may not agree on whether an object was deleted"
    yield from _check_headers(content, listed)
    yield from _check_object_streams(reader, listed)


def _check_sections(reader: PdfFileReader, content: bytes, listed: _Listed) -> Iterator[str]:
    """Also collects what they list."""
    for revision in range(reader.xrefs.total_revisions):
        data, info = reader.xrefs.get_xref_data(revision), reader.xrefs.get_xref_container_info(revision)
        layers = [data.hybrid.xref_data, data] if data.hybrid else [data]
        starts = {data.hybrid.meta_info.start_location} if data.hybrid else set()
        if info.xref_section_type is XRefSectionType.STREAM:
            starts.add(info.declared_startxref)
        elif not _is_table(reader, content[info.declared_startxref : info.start_location], info.start_location):
            yield "a cross-reference table is malformed"
        listed.newest.update({number: (-1, None) for one in layers for number in one.freed})
        for one in layers:
            listed.newest.update(one.standard_xrefs)
            listed.newest.update({number: (0, place) for number, place in one.xrefs_in_objstm.items()})
            listed.all.update(one.explicit_refs_in_revision)
            starts |= {start for _, start in one.standard_xrefs.values()}
        listed.headers.update(header.end() for start in starts if (header := _HEADER.match(content, start)))
    trailer = reader.trailer._trailer_revisions[0]  # noqa: SLF001 - pyHanko adds what it lacks from older ones
    if "/Root" not in trailer or content.rfind(b"trailer") > info.end_location:
        yield "its trailer is malformed"


def _is_table(reader: PdfFileReader, keyword: bytes, start: int) -> bool:
    """Whether it is where it should be, and lists each object once: readers take the first entry or the last."""
    reader.stream.seek(start)
    numbers = [entry.idnum for entry in parse_xref_table(reader.stream, strict=True)]
    return len(numbers) == len(set(numbers)) and keyword.strip() == b"xref"


def _check_headers(content: bytes, listed: _Listed) -> Iterator[str]:
    """The newest object of each number must be the last in the file with this number."""
    last = {}
    for number, (generation, place) in listed.newest.items():
        if isinstance(place, int):
            header = _HEADER.match(content, place)
            if header is None or (int(header[1]), int(header[2])) != (number, generation):
                yield "a cross-reference leads to something else"
            else:
                last[number] = generation, header.end()
    for found in _OBJECT.finditer(content):
        generation, end = int(found[2] or -1), found.end()
        newest, limit = last.get(int(found[1] or -1), (generation, end if end in listed.headers else -1))
        if generation < 0 or generation > newest or end > limit:
            yield "it has objects that no cross-reference table lists"


def _check_object_streams(reader: PdfFileReader, listed: _Listed) -> Iterator[str]:
    """Each must have the numbers that are listed where they are listed, and once."""
    packed: dict[int, dict[int, int]] = {}
    for number, (_, place) in listed.newest.items():
        if isinstance(place, ObjStreamRef):
            packed.setdefault(place.obj_stream_id, {})[place.ix_in_stream] = number
    for number, indexes in packed.items():
        stream: Any = generic.Reference(number, 0, reader).get_object()
        numbers = [int(one) for one in stream.data[: stream["/First"]].split()[: 2 * stream["/N"] : 2]]
        if len(numbers) != len(set(numbers)) or any(numbers[index] != one for index, one in indexes.items()):
            yield "an object stream is malformed"
