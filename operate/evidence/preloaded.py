"""Imported once, by the process that each inspection is forked from: loads what all of them need."""

import operate.evidence.pdf_signatures  # noqa: F401
from operate.evidence.pdf_trust import make_trust_manager

make_trust_manager()
