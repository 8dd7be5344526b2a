"""Question two: what was added after a signature? (ISO 32000-2, 12.8.2)

The signed revision, read as a file of its own, is compared with the whole file: everything that can be reached from the
two trailers. What is recognized is named; a changed page, or a violation of a certification or lock, is forbidden; the
rest is not explained.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import FieldMDPSpec

from operate.evidence.pdf_objects import Comparer, Reference, find_reference, read_entries, read_items, resolve
from operate.evidence.pdf_revisions import SignatureField, inherited, merge, walk_fields
from operate.evidence.record import Addition, AdditionKind, Permission

_INHERITED = ("/Resources", "/MediaBox", "/CropBox", "/Rotate")
_SHOWN = (*_INHERITED, "/Contents", "/UserUnit", "/Group", "/BleedBox", "/TrimBox", "/ArtBox")
_KINDS: dict[str, AdditionKind] = {
    **dict.fromkeys(("/DSS", "/Extensions", "/Version"), "validation_data"),
    **dict.fromkeys(("/Metadata", "/PieceInfo", "/LastModified", "/MarkInfo", "/Lang", "/Info"), "metadata"),
    "/StructTreeRoot": "structure",
}
_UNSEEN_OF_PAGE = {"/Parent", "/Tabs", "/StructParents", "/Annots", "/Type"}
_UNSEEN_OF_FORM = {"/Fields", "/SigFlags", "/DR", "/DA", "/Q", "/NeedAppearances"}
_FILLED = {"/V", "/AP", "/AS", "/I", "/RV", "/MK", "/M", "/F", "/Ff", "/DA", "/DR", "/Q", "/BS", "/Border", "/Type"}
_STRUCTURE = {"/Kids", "/Parent", "/P", "/StructParent", "/T"}
_OBJECT = re.compile(rb"(?<![0-9])[0-9]{1,10}+[\0\t\n\f\r ]{1,16}+[0-9]{1,5}+[\0\t\n\f\r ]{1,16}+obj(?![A-Za-z])")
PADDING = b"\0\t\n\f\r "

_PERMISSIONS: dict[Any, Permission] = {1: "no_changes", 2: "fill_forms", 3: "annotate"}
_FORBIDDEN: dict[Permission | None, set[AdditionKind]] = {
    "no_changes": {"signature", "visible_signature", "form_field", "annotation"},
    "fill_forms": {"annotation"},
}


def compare(old: PdfFileReader, new: PdfFileReader, signed: SignatureField, tail: bytes) -> dict[str, Any]:
    """Compares the signed revision with the whole file. `tail` is what follows the revision.

    Returns attributes of DigitalSignature. Raises anything for a hostile PDF.
    """
    permitted, lock = _read_limits(signed)
    if not tail.strip(PADDING):
        return {"permitted": permitted, "changes": "none"}
    found = _Comparison(old, new)
    if _has_unlisted_objects(new, tail, signed.end):
        found.unexplained.append("objects were added that no cross-reference table lists")
    for kind, names in found.additions.items():
        if kind in _FORBIDDEN.get(permitted, ()):
            found.forbidden.append("its certification does not permit what was added")
        if lock and kind == "form_field" and any(map(lock.is_locked, names)):
            found.forbidden.append("a form field was changed that it locks")
    clean = "explained" if found.additions else "none"
    return {
        "permitted": permitted,
        "changes": "forbidden" if found.forbidden else "not_explained" if found.unexplained else clean,
        "changes_reason": "; ".join(dict.fromkeys(found.forbidden or found.unexplained)) or None,
        "additions": [Addition(kind=kind, names=list(names)) for kind, names in found.additions.items()],
    }


def _read_limits(signed: SignatureField) -> tuple[Permission | None, FieldMDPSpec | None]:
    """Returns what the signature permits, and the fields that it locks, by its references or else its field's lock."""
    lock = read_entries(inherited(signed.field, "/Lock"))
    permitted = lock.get("/P")
    for reference in read_items(signed.value, "/Reference"):
        parameters = read_entries(reference, "/TransformParams")
        method = resolve(read_entries(reference).get("/TransformMethod"))
        if method == "/DocMDP":
            permitted = parameters.get("/P", 2)
        elif method == "/FieldMDP":
            lock = parameters or lock
    resolved = {key: resolve(value) for key, value in lock.items()}
    return _PERMISSIONS.get(resolve(permitted)), FieldMDPSpec.from_pdf_object(resolved) if lock else None


class _Comparison:
    """Collects additions with their names, and sentences in our words about forbidden and unexplained changes."""

    def __init__(self, old: PdfFileReader, new: PdfFileReader) -> None:
        self.additions: dict[AdditionKind, dict[str, None]] = {}
        self.forbidden: list[str] = []
        self.unexplained: list[str] = []
        self._old, self._new = old.root, new.root
        self._trailers = read_entries(old.trailer_view), read_entries(new.trailer_view)
        self._comparer = Comparer()
        self._widgets: dict[Reference | None, tuple[str, Any]] = {}
        """The fields of the new revision, with their names, by the references of their widgets."""
        self._compare_forms()
        self._compare_pages()
        self._compare_rest()

    def _add(self, kind: AdditionKind, *names: str) -> None:
        self.additions.setdefault(kind, {}).update(dict.fromkeys(names))

    def _compare_forms(self) -> None:
        before, after = dict(walk_fields(self._old)), dict(walk_fields(self._new))
        for name, field_ in after.items():
            widgets = _list_widgets(field_)
            self._widgets |= dict.fromkeys(widgets, (name, field_))
            if name in before:
                self._compare_field(name, before[name], field_, widgets)
            else:
                self._add(_classify(field_), name)
        if before.keys() - after.keys():
            self.unexplained.append("a form field was removed")
        forms = read_entries(self._old, "/AcroForm"), read_entries(self._new, "/AcroForm")
        if self._comparer.differences(*forms, _UNSEEN_OF_FORM):
            self.unexplained.append("attributes of the form were changed")

    def _compare_field(self, name: str, old: Any, new: Any, widgets: Mapping[Reference | None, Any]) -> None:
        former = _list_widgets(old)
        pairs = [(merge(old), merge(new))]
        pairs += [(read_entries(former[key]), read_entries(widgets[key])) for key in former.keys() & widgets.keys()]
        changed = {key for pair in pairs for key in self._comparer.differences(*pair, _STRUCTURE)}
        if former.keys() != widgets.keys() or not changed <= _FILLED:
            self.unexplained.append("a form field was changed beyond filling it")
        elif "/V" in changed and inherited(old, "/FT") == "/Sig" and inherited(old, "/V") is not None:
            self.unexplained.append("a signature was changed")
        elif changed:
            self._add(_classify(new), name)

    def _compare_pages(self) -> None:
        before, after = (list(_walk_pages(root["/Pages"], {})) for root in (self._old, self._new))
        if len(before) != len(after):
            self.forbidden.append("pages were added or removed")
            return
        for number, (old, new) in enumerate(zip(before, after, strict=True), 1):
            for key in self._comparer.differences(old, new, _UNSEEN_OF_PAGE):
                if key == "/Resources" and self._only_adds(old.get(key), new.get(key)):
                    self.unexplained.append(f"resources of page {number} were added")
                elif key in _SHOWN:
                    self.forbidden.append(f"the content of page {number} was changed")
                elif key in _KINDS:
                    self._add(_KINDS[key])
                else:
                    self.unexplained.append(f"attributes of page {number} were changed")
            self._compare_annotations(read_items(old.get("/Annots")), read_items(new.get("/Annots")))

    def _only_adds(self, old: Any, new: Any) -> bool:
        """Whether each resource of the old page is there unchanged."""
        others = read_entries(new)
        for kind, resources in read_entries(old).items():
            entries, found = read_entries(resources), read_entries(others.get(kind))
            if self._comparer.differences(entries, {name: found.get(name) for name in entries}):
                return False
        return True

    def _compare_annotations(self, before: list[Any], after: list[Any]) -> None:
        former = {find_reference(one) for one in before}
        for annotation in after:
            reference = find_reference(annotation)
            if reference in self._widgets and reference not in former:
                name, field_ = self._widgets[reference]
                self._add(_classify(field_), name)
        old, new = ([one for one in these if find_reference(one) not in self._widgets] for these in (before, after))
        if len(old) != len(new) or not all(map(self._comparer.is_same, old, new)):
            self._add("annotation")

    def _compare_rest(self) -> None:
        roots = read_entries(self._old), read_entries(self._new)
        for key in self._comparer.differences(*roots, {"/AcroForm", "/Pages", "/Type"}):
            if key in _KINDS:
                self._add(_KINDS[key])
            else:
                self.unexplained.append("attributes of the document were changed")
        differences = self._comparer.differences(*self._trailers)
        if "/Info" in differences:
            self._add("metadata")
        if "/Encrypt" in differences:
            self.unexplained.append("the encryption was changed")


def _walk_pages(node: Any, above: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the entries of each page, with those that it inherits (ISO 32000-2, 7.7.3.4)."""
    entries = read_entries(node)
    if "/Kids" not in entries:
        yield {**above, **entries}
        return
    inheritable = {key: entries[key] for key in _INHERITED if key in entries}
    for kid in read_items(entries["/Kids"]):
        yield from _walk_pages(kid, {**above, **inheritable})


def _list_widgets(field_: Any) -> dict[Reference | None, Any]:
    """Returns the widgets of a field, which may be the field itself, by their references (ISO 32000-2, 12.5.6.19)."""
    kids = read_items(field_, "/Kids")
    if kids:
        return {find_reference(kid): resolve(kid) for kid in kids}
    reference = field_.container_ref
    return {(reference.idnum, reference.generation): field_}


def _classify(field_: Any) -> AdditionKind:
    value = inherited(field_, "/V")
    if inherited(field_, "/FT") != "/Sig" or value is None:
        return "form_field"
    if any(map(_is_visible, _list_widgets(field_).values())):
        return "visible_signature"
    return "time_stamp" if resolve(read_entries(value).get("/SubFilter")) == "/ETSI.RFC3161" else "signature"


def _is_visible(widget: Any) -> bool:
    """Whether it has an appearance and an area, whatever its flags say."""
    left, bottom, right, top = (float(resolve(number)) for number in read_items(widget, "/Rect") or (0, 0, 0, 0))
    return "/AP" in widget and left != right and bottom != top


def _has_unlisted_objects(reader: PdfFileReader, tail: bytes, offset: int) -> bool:
    """Whether the tail holds an object that this reader would not find, but one that repairs the file might."""
    listed = set()
    for revision in range(reader.xrefs.total_revisions):
        listed.add(reader.xrefs.get_xref_container_info(revision).start_location)
        sections = [reader.xrefs.get_xref_data(revision)]
        sections += [sections[0].hybrid.xref_data] if sections[0].hybrid else []
        listed |= {start for section in sections for _, start in section.standard_xrefs.values()}
    starts = (match.start() + offset for match in _OBJECT.finditer(tail))
    return any(listed.isdisjoint(range(start - 2, start + 1)) for start in starts)
