"""Reports which real PDFs are accepted, and which copies of them that were cut or decoded as text are accepted too."""

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pypdf
from pypdf.errors import PyPdfError

from certificates.certificate import is_whole_pdf

END = b"%%EOF"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.corpus", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder to search for *.pdf, with its subfolders")
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    folder: Path = parser.parse_args().folder
    files = sorted(path for path in folder.rglob("*.pdf") if path.is_file())
    if not files:
        sys.exit(f"No *.pdf found below {folder}.")
    tried: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for file in files:
        content = file.read_bytes()
        if not is_whole_pdf(content):
            print(f"refused{', although pypdf can open it' if _can_open(file) else ''}: {file.relative_to(folder)}")
            continue
        accepted["whole files"] += 1
        for kind, copy in _damage(content):
            if copy.rstrip() != content.rstrip():
                tried[kind] += 1
                accepted[kind] += is_whole_pdf(copy)
    print(f"\n{'':34}{'accepted':>10}{'of':>10}")
    for kind in ("whole files", *tried):
        print(f"{kind:34}{accepted[kind]:>10,}{tried[kind] or len(files):>10,}")


def _damage(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yields damaged copies with their kind. One that ends with an earlier revision looks whole."""
    ends = [position for position in range(len(content)) if content.startswith(END, position)]
    for position in ends[:-1]:
        for more in (0, 2, 300, 1000):
            yield f"cut {more} bytes behind an inner end", content[: position + len(END) + more]
    for percent in (10, 50, 90, 99):
        yield f"cut after {percent} %", content[: ends[-1] * percent // 100]
    yield "without the last byte of the end", content[: ends[-1] + len(END) - 1]
    if not content.isascii():
        yield "decoded as UTF-8", content.decode("utf-8", "replace").encode()
        yield "decoded as Latin-1", content.decode("latin-1").encode()


def _can_open(file: Path) -> bool:
    try:
        return len(pypdf.PdfReader(file, strict=False).pages) > 0
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


if __name__ == "__main__":
    main()
