"""Question two: what was added after a signature? (ISO 32000-2, 12.8.2)

The signed revision, read as a file of its own, is compared with the whole file, entry by entry. What is recognized is
named; a changed page, or a violation of a certification or lock, is forbidden; the rest is not explained.
"""

from collections.abc import Container, Iterator, Mapping
from typing import Any, NamedTuple

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import FieldMDPSpec

from operate.evidence.pdf_objects import find_differences, find_reference, read_entries, read_items, resolve
from operate.evidence.pdf_revisions import Field, Signature, walk_fields
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
_UNSEEN_OF_DOCUMENT = {"/AcroForm", "/Pages", "/Type"}
_UNSEEN_OF_PAGE = {"/Parent", "/Tabs", "/StructParents", "/Annots", "/Resources", "/Type"}
_UNSEEN_OF_FORM = {"/Fields", "/SigFlags", "/DR", "/DA", "/Q"}
_UNSEEN_OF_FIELD = {"/Kids", "/Parent", "/P", "/StructParent", "/T"}
_FILLED = {"/V", "/AP", "/AS", "/I", "/RV", "/MK", "/M", "/F", "/Ff", "/DA", "/DR", "/Q", "/BS", "/Border", "/Type"}
PADDING = b"\0\t\n\f\r "
_MAX_PADDING = 1000  # readers look for `startxref` in the last 1,024 bytes, and may repair a file that has none there

_PERMISSIONS: dict[Any, Permission] = {1: "no_changes", 2: "fill_forms", 3: "annotate"}
_FORBIDDEN: dict[Permission | None, set[AdditionKind]] = {
    "no_changes": {"signature", "visible_signature", "form_field", "annotation"},
    "fill_forms": {"annotation"},
}


class _Part(NamedTuple):
    """Where an entry is: its key, in the document, the form or a page, what else leads to it, and its form field."""

    key: str
    holder: str
    detail: Any = None
    field: str | None = None


def compare(old: PdfFileReader, new: PdfFileReader, signed: Signature, tail: bytes) -> dict[str, Any]:
    """Compares the signed revision with the whole file. `tail` is what follows the revision.

    Returns attributes of DigitalSignature. Raises anything for a hostile PDF.
    """
    permitted, lock = _read_limits(signed)
    if not tail.strip(PADDING) and len(tail) <= _MAX_PADDING:
        return {"permitted": permitted, "changes": "none"}
    (fields, before), (new_fields, after) = _read_parts(old), _read_parts(new)
    found: dict[Any, dict[str, None]] = {"forbidden": {}, "not_explained": {}}
    for part in find_differences(before, after):
        if part.field is None:
            finding, text = _judge(part, is_new=part not in before)
        else:
            finding, text = _judge_field(part.key, fields.get(part.field), new_fields.get(part.field))
        found.setdefault(finding, {})[text] = None
    if sum(not part.key for part in before) != sum(not part.key for part in after):
        found["forbidden"] = {"pages were added or removed": None}
    if ambiguity := find_ambiguity(new, tail):
        found["not_explained"][ambiguity] = None
    if found.keys() & _FORBIDDEN.get(permitted, set()):
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
    if old and (key not in _FILLED or (key == "/V" and old.signature is not None)):
        return "not_explained", "a form field was changed beyond filling it"
    return _classify(new), new.name


def _read_parts(reader: PdfFileReader) -> tuple[dict[str, Field], dict[_Part, Any]]:
    """Returns the form fields by name, and all that is compared, each value with everything that it refers to."""
    fields = {field.name: field for field in walk_fields(reader.root)}
    parts: dict[_Part, Any] = {}

    def add(entries: dict[str, Any], unseen: Container[str], *where: Any) -> None:
        parts.update({_Part(key, *where): value for key, value in entries.items() if key not in unseen})

    trailer = read_entries(reader.trailer_view)
    document = read_entries(reader.root) | {key: trailer.get(key) for key in ("/Info", "/Encrypt")}
    add(document, _UNSEEN_OF_DOCUMENT, "the document")
    add(read_entries(reader.root, "/AcroForm"), _UNSEEN_OF_FORM, "the form")
    names = {reference: name for name, field in fields.items() for reference in field.widgets if reference}
    for name, field in fields.items():
        add(field.entries, _UNSEEN_OF_FIELD, "the form", None, name)
        for reference, widget in field.widgets.items():
            add(read_entries(widget), _UNSEEN_OF_FIELD, "the form", reference, name)
    for number, page in enumerate(_walk_pages(reader.root["/Pages"], {}), 1):
        holder = f"page {number}"
        parts[_Part("", holder)] = None  # counts it
        add(page, _UNSEEN_OF_PAGE, holder)
        for kind, resources in read_entries(page.get("/Resources")).items():
            found = read_entries(resources)
            parts |= {_Part("/Resources", holder, (kind, resource)): found[resource] for resource in found}
        shown = [(find_reference(one), one) for one in read_items(page.get("/Annots"))]
        parts |= {_Part("/AP", "the form", (holder, key), names[key]): True for key, _ in shown if key in names}
        others = [one for key, one in shown if key not in names]
        parts |= {_Part("/Annots", holder, index): one for index, one in enumerate(others)}
    return fields, parts


def _walk_pages(node: Any, above: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the entries of each page, with those that it inherits (ISO 32000-2, 7.7.3.4)."""
    entries = read_entries(node)
    if "/Kids" not in entries:
        yield {**above, **entries}
        return
    inheritable = {key: entries[key] for key in _INHERITED if key in entries}
    for kid in read_items(entries["/Kids"]):
        yield from _walk_pages(kid, {**above, **inheritable})


def _classify(field: Field) -> AdditionKind:
    if field.signature is None:
        return "form_field"
    if any(map(_is_visible, field.widgets.values())):
        return "visible_signature"
    return "time_stamp" if resolve(field.signature, "/SubFilter") == "/ETSI.RFC3161" else "signature"


def _is_visible(widget: Any) -> bool:
    """Whether it has an appearance and an area, whatever its flags say, or is an annotation of another kind, too."""
    left, bottom, right, top = (float(resolve(number)) for number in read_items(widget, "/Rect") or (0, 0, 0, 0))
    has_area = left != right and bottom != top
    return (has_area and "/AP" in widget) or resolve(widget, "/Subtype") not in {None, "/Widget"}
