"""Question two: what was added after a signature? (ISO 32000-2, 12.8.2)

The signed revision, read as a file of its own, is compared with the whole file, entry by entry. What is recognized is
named; a changed page, or a violation of a certification or lock, is forbidden; the rest is not explained.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import FieldMDPSpec
from pyhanko.sign.validation.pdf_embedded import extract_contents

from operate.evidence.pdf_integrity import read_signed_data, read_tst_info
from operate.evidence.pdf_objects import attempt, find_differences, find_reference, read_entries, read_items, resolve
from operate.evidence.pdf_revisions import Field, Signature, read_kid, walk_fields
from operate.evidence.pdf_structure import find_ambiguity
from operate.evidence.record import Addition, AdditionKind, Permission

_INHERITED = ("/Resources", "/MediaBox", "/CropBox", "/Rotate")
_SHOWN = {*_INHERITED, "/Contents", "/UserUnit", "/Group", "/BleedBox", "/TrimBox", "/ArtBox"}
_KINDS: dict[str, AdditionKind] = {
    **dict.fromkeys(("/DSS", "/Extensions", "/Version"), "validation_data"),
    **dict.fromkeys(("/Metadata", "/PieceInfo", "/LastModified", "/MarkInfo", "/Lang", "/Info"), "metadata"),
    "/StructTreeRoot": "structure",
    "/Annots": "annotation",
}
_DEFAULTS = {"/Rotate": generic.NumberObject(0), "/UserUnit": generic.NumberObject(1)}  # type: ignore[no-untyped-call]
_UNSEEN_OF_DOCUMENT = {"/AcroForm", "/Pages"}
_UNSEEN_OF_NODE = {"/Kids", "/ITXT", *_INHERITED}
_UNSEEN_OF_PAGE = {"/Tabs", "/StructParents", "/Annots", "/Resources"}
_FOR_TEXT = ("/DR", "/DA", "/Q")
"""What fields without their own inherit from the form. Software that signs adds it to a form without text fields."""
_UNSEEN_OF_FORM = {"/Fields", "/SigFlags", *_FOR_TEXT}
_UNSEEN_OF_FIELD = {"/Kids", "/P", "/StructParent", "/T"}
_FILLED = {"/V", "/AP", "/AS", "/I", "/RV", "/MK", "/M", "/F", "/Ff", *_FOR_TEXT, "/BS", "/Border", "/Type", "/Annots"}
_SHOWING = {"/AP", "/MK", "/BS", "/Border"}
PADDING = b"\0\t\n\f\r "
_MAX_PADDING = 1000  # readers look for `startxref` in the last 1,024 bytes, and may repair a file that has none there

_PERMISSIONS: dict[Any, Permission] = {1: "no_changes", 2: "fill_forms", 3: "annotate"}
_FORBIDDEN: dict[Permission | None, set[AdditionKind]] = {
    "no_changes": {"signature", "visible_signature", "form_field", "annotation"},
    "fill_forms": {"annotation"},
}


_Name = tuple[str, int]
"""The name of a form field, and which of those with this name it is."""


class _Part(NamedTuple):
    """Where an entry is: its key, in the document, the form or a page, what else leads to it, and its form field."""

    key: str
    holder: str
    detail: Any = None
    field: _Name | None = None


def compare(old: PdfFileReader, new: PdfFileReader, signed: Signature, tail: bytes) -> dict[str, Any]:
    """Compares the signed revision with the whole file. `tail` is what follows the revision.

    Returns attributes of DigitalSignature. Raises anything for a hostile PDF.
    """
    permitted, lock = _read_limits(signed)
    if not tail.strip(PADDING) and len(tail) <= _MAX_PADDING:
        return {"permitted": permitted, "changes": "none"}
    (fields, before, pages), (new_fields, after, new_pages) = _read_parts(old), _read_parts(new)
    found: dict[Any, dict[str, None]] = {"forbidden": {}, "not_explained": {}}
    for part in find_differences(before, after, {old.root_ref, *pages} & {new.root_ref, *new_pages} - {None}):
        if part.field is None:
            finding, text = _judge(part, is_new=part not in before)
        else:
            finding, text = _judge_field(part.key, fields.get(part.field), new_fields.get(part.field))
        found.setdefault(finding, {})[text] = None
    if len(pages) != len(new_pages):
        found["forbidden"] = {"pages were added or removed": None}
    if _order_annotations(before, after) != _order_annotations(after, before):
        found["not_explained"]["the order of annotations was changed"] = None
    if ambiguity := find_ambiguity(new, tail):
        found["not_explained"][ambiguity] = None
    is_field_added = any(new_fields[name].kind != "/Sig" for name in new_fields.keys() - fields.keys())
    if found.keys() & _FORBIDDEN.get(permitted, set()) or (permitted == "fill_forms" and is_field_added):
        found["forbidden"]["its certification does not permit what was added"] = None
    if lock and any(map(lock.is_locked, found.get("form_field", ()))):
        found["forbidden"]["a form field was changed that it locks"] = None
    forbidden, unexplained = found.pop("forbidden"), found.pop("not_explained")
    return {
        "permitted": permitted,
        "changes": "forbidden" if forbidden else "not_explained" if unexplained else "explained" if found else "none",
        "changes_reason": "; ".join(forbidden or unexplained) or None,
        "additions": [Addition(kind=kind, names=[name for name in names if name]) for kind, names in found.items()],
    }


def _read_limits(signed: Signature) -> tuple[Permission | None, FieldMDPSpec | None]:
    """Returns what a signature permits, and the fields that it locks, by its references or else its field's lock."""
    lock = read_entries(signed.lock)
    permitted = lock.get("/P")
    for reference in read_items(signed.dictionary, "/Reference"):
        parameters = read_entries(reference, "/TransformParams")
        method = resolve(reference, "/TransformMethod")
        if method == "/DocMDP":
            permitted = parameters.get("/P", 2)
        elif method == "/FieldMDP":
            lock = parameters or lock
    resolved = {key: resolve(value) for key, value in lock.items()}
    return _PERMISSIONS.get(resolve(permitted)), FieldMDPSpec.from_pdf_object(resolved) if lock else None


def _judge(part: _Part, *, is_new: bool) -> tuple[str, str]:
    """Returns the kind of addition, or another finding with a sentence in our words."""
    if part.key in _KINDS:
        return _KINDS[part.key], ""
    if part.key == "/Resources" and is_new:
        return "not_explained", f"resources of {part.holder} were added"
    if part.key in _SHOWN and part.holder.startswith("page"):
        return "forbidden", f"the content of {part.holder} was changed"
    return "not_explained", f"attributes of {part.holder} were changed"


def _judge_field(key: str, old: Field | None, new: Field | None) -> tuple[str, str]:
    """Returns the kind of addition with the field's name, or another finding with a sentence in our words."""
    if new is None:
        return "not_explained", "a form field was removed"
    if key in {"/A", "/AA"}:
        return "not_explained", "an action of a form field was added or changed"
    if old and (key not in _FILLED or (key == "/V" and old.signature is not None)):
        return "not_explained", "a form field was changed beyond filling it"
    return _classify(new, [*(old.widgets.values() if old else ()), *new.widgets.values()]), new.name


def _order_annotations(parts: Mapping[_Part, Any], others: Container[_Part]) -> list[_Part]:
    """Returns those that both have: later ones are drawn over earlier ones."""
    return [part for part in parts if part.key == "/Annots" and part in others]


def _read_parts(reader: PdfFileReader) -> tuple[dict[_Name, Field], dict[_Part, Any], list[Any]]:
    """Returns the form fields by name, all that is compared, each value with everything that it refers to, and the
    references of the pages."""
    counted: Counter[Any] = Counter()

    def number(key: Any) -> tuple[Any, int]:
        counted[key] += 1
        return key, counted[key]

    fields = {number(field.name): field for field in walk_fields(reader.root)}
    parts: dict[_Part, Any] = {}
    pages: list[Any] = []

    def add(entries: dict[str, Any], unseen: Container[str], *where: Any) -> None:
        parts.update({_Part(key, *where): entries[key] for key in entries if _is_seen(key, entries, unseen)})

    trailer = read_entries(reader.trailer_view)
    document = read_entries(reader.root) | {key: trailer.get(key) for key in ("/Info", "/Encrypt")}
    add(document, _UNSEEN_OF_DOCUMENT, "the document")
    form = read_entries(reader.root, "/AcroForm")
    add(form, _UNSEEN_OF_FORM, "the form")
    names: dict[Any, _Name] = {
        reference: name for name, field in fields.items() for reference in field.widgets if reference
    }
    for name, field in fields.items():
        add(field.entries, _UNSEEN_OF_FIELD, "the form", "field", name)
        if field.kind != "/Sig":
            parts |= {_Part(f"{key} of the form", "the form", None, name): form.get(key) for key in _FOR_TEXT}
        for reference, widget in field.widgets.items():
            add(widget, _UNSEEN_OF_FIELD, "the form", reference, name)
    for index, (node, page) in enumerate(_walk_pages(read_entries(reader.root).get("/Pages"), {})):
        if "/Kids" in page:
            add(page, _UNSEEN_OF_NODE, "the page tree", index)
            continue
        pages.append(find_reference(node))
        holder = f"page {len(pages)}"
        contents = read_items(page.get("/Contents"))
        page["/Contents"] = contents[0] if len(contents) == 1 else page.get("/Contents")
        add({"/CropBox": page.get("/MediaBox"), **_DEFAULTS, **page}, _UNSEEN_OF_PAGE, holder)
        for kind, resources in read_entries(page.get("/Resources")).items():
            found = read_entries(resources)
            parts |= {_Part("/Resources", holder, (kind, resource)): found[resource] for resource in found}
        for one in read_items(page.get("/Annots")):
            reference = find_reference(one)
            is_widget = reference in names
            place = number((holder, reference if is_widget else None))
            parts[_Part("/Annots", holder, place, names.get(reference))] = True if is_widget else one
    return fields, parts, pages


def _is_seen(key: str, entries: Mapping[str, Any], unseen: Container[str]) -> bool:
    """A stream is always seen: it may be a resource of this name, too."""
    return key not in unseen or isinstance(resolve(entries[key]), generic.StreamObject)


def _walk_pages(node: Any, above: Mapping[str, Any], parent: Any = None) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yields each page, and each node that has /Kids, with its entries and those that it inherits (ISO 32000-2,
    7.7.3.4)."""
    entries = {**above, **read_kid(node, parent)}
    yield node, entries
    inherited = {key: entries[key] for key in _INHERITED if key in entries}
    for kid in read_items(entries.get("/Kids")):
        yield from _walk_pages(kid, inherited, resolve(node))


def _classify(field: Field, widgets: Iterable[Mapping[str, Any]]) -> AdditionKind:
    """Classifies it by what it shows, or showed before."""
    if field.signature is None:
        return "form_field"
    if any(map(_is_visible, widgets)):
        return "visible_signature"
    signed_data = attempt(lambda: read_signed_data(extract_contents(field.signature)))
    return "time_stamp" if signed_data and attempt(lambda: read_tst_info(signed_data)) else "signature"


def _is_visible(widget: Mapping[str, Any]) -> bool:
    """Whether it has an area and anything to show, whatever its flags say, or is an annotation of another kind, too."""
    left, bottom, right, top = (float(resolve(number)) for number in read_items(widget.get("/Rect")) or (0, 0, 0, 0))
    has_area = left != right and bottom != top
    shows = not _SHOWING.isdisjoint(widget)
    return (has_area and shows) or resolve(widget.get("/Subtype")) not in {None, "/Widget"}
