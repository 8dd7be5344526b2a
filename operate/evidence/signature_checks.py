"""Says in sentences what was found about the digital signatures of a PDF, which is inspected in its own process.

A hostile PDF may take any time and memory, or end the process: this costs the verdict on that PDF, and nothing else.
"""

import resource
import signal
import sys
from collections.abc import Callable, Iterable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Literal, get_args

from operate.evidence.checks import Check, confirm, contradict, format_time, leave_open, quote
from operate.evidence.record import Addition, DigitalSignature, Shown

SECONDS = 60.0
"""The most time for one PDF."""

MEMORY_BYTES = 1_000_000_000
"""The most memory for one PDF. Not every system enforces it: macOS does not."""

_TRUST = {
    "trusted": "issued for signing by an authority that this machine trusts",
    "web_site_only": "issued for a web site, not for signing documents",
    "other_purpose": "issued for another purpose than signing",
    "unknown_authority": "issued by an authority that this machine does not trust",
    "expired": "not valid at present",
    "weak_algorithm": "used with an algorithm that is considered weak",
    "not_established": "one whose trust could not be established",
}
_COVERAGE = {
    "whole_file": "covers the whole file",
    "whole_revision": "covers the whole file as it was then",
    "part": "covers a part of the file only",
}
_ADDITIONS = {
    "validation_data": "data for long-term validation",
    "metadata": "information about the document",
    "structure": "the structure that assistive software reads",
    "signature": "signatures that show nothing on a page",
    "time_stamp": "time stamps",
    "visible_signature": "signatures that show something on a page",
    "form_field": "form fields",
    "annotation": "annotations",
}
_MAX_NAMES = 5

Found = tuple[list[DigitalSignature], str | None]
"""The signatures of a PDF, the oldest first, and why there may be more."""

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["__main__", "operate.evidence.pdf_signatures"])
"""Processes are forked from one that has imported what they need, and nothing else runs in it."""

_UNSIGNED = leave_open("signature", "No revision of the PDF has a digital signature.")

State = Literal["signaturesIntact", "signaturesBroken", "signaturesNotDetermined", "unsigned"]
"""The state of all signatures of a PDF and of the changes after them. Trust in the signers is left out."""


def check_signatures(content: bytes) -> tuple[list[DigitalSignature] | None, list[Check]]:
    """Returns the signatures, or None if they can't be read, and what is to be said about them."""
    found = run_within_limits(_inspect, content)
    if isinstance(found, str):
        return None, [leave_open("signature", f"The digital signatures of the PDF are not known: {found}.")]
    signatures, problem = found
    checks = [check for one in signatures for check in _describe(one)]
    if problem:
        checks.append(leave_open("signature", f"The PDF may have more signatures than are known: {problem}."))
    elif not signatures:
        checks.append(_UNSIGNED)
    return signatures, checks


def judge_signatures(content: bytes) -> State:
    _, checks = check_signatures(content)
    outcomes = {check.outcome for check in checks if check.subject != "signer"}
    if "contradicted" in outcomes:
        return "signaturesBroken"
    if checks == [_UNSIGNED]:
        return "unsigned"
    return "signaturesNotDetermined" if "not_determined" in outcomes else "signaturesIntact"


def run_within_limits(inspect: Callable[[bytes], Found], content: bytes, seconds: float = SECONDS) -> Found | str:
    """Returns what the function finds in a process of its own, or why it found nothing."""
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_run, args=(sender, inspect, content), daemon=True)
    try:
        process.start()
        sender.close()
        if not receiver.poll(seconds):
            return f"the PDF was not read within {seconds:.0f} seconds"
        return receiver.recv()  # type: ignore[no-any-return]
    except (EOFError, OSError):
        return "the process that read the PDF was killed or failed"
    finally:
        receiver.close()
        if process.pid:
            process.kill()
            process.join()


def _run(sender: Connection, inspect: Callable[[bytes], Found], content: bytes) -> None:
    # Ctrl-C reaches all processes of a terminal, and this one would print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "darwin":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        found: Found | str = inspect(content)
    except MemoryError:
        found = f"the PDF needs more than {MEMORY_BYTES // 1_000_000:,} MB of memory to be read"
    sender.send(found)


def _inspect(content: bytes) -> Found:
    from operate.evidence.pdf_signatures import inspect_signatures  # noqa: PLC0415 - takes seconds to import

    return inspect_signatures(content)


def _describe(one: DigitalSignature) -> Iterable[Check]:
    name = f"{'time stamp' if one.kind == 'time_stamp' else 'signature'} {quote(one.field)}"
    match one.integrity:
        case "broken":
            yield contradict("signature", f"The {name} is broken: {one.integrity_reason}.")
        case "not_determined":
            yield leave_open("signature", f"The {name} could not be checked: {one.integrity_reason}.")
        case "intact":
            state = leave_open if one.coverage == "part" else confirm
            yield state("signature", f"The {name} is intact. It {_COVERAGE[one.coverage]}.")
    if one.is_hidden:
        sentence = f"An earlier revision of the PDF has the {name}. The last one hides, renames or replaces it."
        yield contradict("signature", sentence)
    if one.integrity != "intact":
        return
    yield _describe_changes(one, name)
    if one.trust:
        state = confirm if {one.trust, one.time_trust or one.trust} == {"trusted"} else leave_open
        yield state("signer", f"{_describe_signer(one, name)}, issued by {quote(one.issuer)}, is {_TRUST[one.trust]}.")
    if one.time_integrity == "broken":
        yield contradict("time", f"The time stamp within the {name} is broken.")
    elif one.time_integrity == "not_determined":
        yield leave_open("time", f"The time stamp within the {name} could not be checked.")


def _describe_signer(one: DigitalSignature, name: str) -> str:
    time = f" at {format_time(one.signed_at)}" if one.signed_at else ""
    if one.time_source == "claim":
        time += " by their own clock"
    elif one.kind == "signature" and time:
        trust = _TRUST[one.time_trust or "not_established"]
        doubt = "" if one.time_trust == "trusted" else f", whose certificate is {trust},"
        time += f", as a time stamp of {quote(one.time_authority)}{doubt} says"
    return f"{quote(one.signer)} made the {name}{time}. Their certificate"


def _describe_changes(one: DigitalSignature, name: str) -> Check:
    subject, added = "changes after signing", _list(one.additions)
    match one.changes:
        case "forbidden":
            return contradict(subject, f"After the {name}, the PDF was changed: {one.changes_reason}.")
        case "not_explained":
            sentence = f"After the {name}, something was changed that is not explained: {one.changes_reason}."
            return leave_open(subject, sentence)
        case "not_determined":
            return leave_open(subject, f"The changes after the {name} are not known: {one.changes_reason}.")
    kinds = {addition.kind for addition in one.additions}
    if kinds <= {"validation_data"}:
        but = f", but for {added}" if added else ""
        return confirm(subject, f"Nothing was changed after the {name}{but}.")
    if kinds.isdisjoint(get_args(Shown)):
        return confirm(subject, f"Only these were added after the {name}: {added}.")
    allowed = ", which its certification permits" if one.permitted else ""
    words = f"After the {name}, these were added or changed: {added}{allowed}."
    return leave_open(subject, f"{words} Whether the signer agrees is not known.")


def _list(additions: Iterable[Addition]) -> str:
    texts = []
    for addition in additions:
        names = ", ".join(map(quote, addition.names[:_MAX_NAMES]))
        more = f" and {len(addition.names) - _MAX_NAMES:,} more" if len(addition.names) > _MAX_NAMES else ""
        texts.append(f"{_ADDITIONS[addition.kind]} {names}{more}".rstrip())
    return ", ".join(texts)
