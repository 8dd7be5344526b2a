"""Runs the test suite again and again under stress: in random order, beside two processes that burn the CPU, the first
time with a cold page cache. `make stress RUNS=5`.

Prints the seed of each run, and at the end each test that failed, with the seeds of its runs. To repeat a run:
`python -m pytest -p randomly --randomly-seed=SEED`.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

from tools.template import ROOT

BURNERS = 2
BURN = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"  # ends with its parent, however that ends
SUITE = ["-m", "pytest", "--quiet", "--numprocesses", "auto", "--dist", "loadgroup", "-p", "randomly"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    failed: dict[str, list[int]] = defaultdict(list)
    drop_page_cache()
    for seed in random.sample(range(2**31), runs):
        started = time.monotonic()
        names = run_suite(seed)
        for name in names:
            failed[name].append(seed)
        print(f"seed {seed}: {time.monotonic() - started:.0f} s, failed: {' '.join(names) or 'none'}", flush=True)
    for name, seeds in sorted(failed.items()):
        print(f"{name}: seeds {', '.join(map(str, seeds))}")
    sys.exit(bool(failed))


def run_suite(seed: int) -> list[str]:
    """Returns the names of the tests that failed."""
    with burning_cpu(), tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = [f"--randomly-seed={seed}", f"--junitxml={report}"]
        subprocess.run([sys.executable, *SUITE, *options], cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
        if not report.exists():
            return ["the whole run"]
        cases = ET.parse(report).iter("testcase")  # noqa: S314 - our own report
        return [
            f"{case.get('classname')}::{case.get('name')}"
            for case in cases
            if case.find("failure") is not None or case.find("error") is not None
        ]


@contextmanager
def burning_cpu() -> Iterator[None]:
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(BURNERS)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def drop_page_cache() -> None:
    """Drops the cached pages of the files that the suite reads. Needs no privilege."""
    for folder in (".venv", ".aws-sam", "tests", "tools", "functions", "layers"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and not path.is_symlink():
                file = os.open(path, os.O_RDONLY)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(file)


if __name__ == "__main__":
    main()
