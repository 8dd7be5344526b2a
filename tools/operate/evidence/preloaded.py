"""Imported once, by the process that each inspection is forked from: loads what all of them need."""

import tools.operate.evidence.pdf_signatures  # noqa: F401
from tools.operate.evidence.pdf_trust import make_trust_manager

make_trust_manager()
