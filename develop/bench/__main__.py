"""Compares the cost of the service with other ways to build it, under the Lambda runtime.

Prints the tables and writes docs/benchmarks.md, in about ten minutes. `make bench` builds and installs all contenders.
"""

import argparse
import signal
import sys
from datetime import UTC, datetime

from develop.bench import measuring
from develop.bench.contenders import archiver, contenders, unzipped_bytes
from develop.bench.measuring import Run
from develop.bench.report import render_page
from develop.bench.results import Results
from develop.bench.stub import in_a_process
from develop.template import ROOT


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m develop.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="how often each contender takes its turn")
    rounds = parser.parse_args().rounds
    for sign in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.default_int_handler)  # ends every execution environment
    page = ROOT / "docs" / "benchmarks.md"
    text = render_page(page.read_text(), measure(rounds), datetime.now(UTC).date())
    page.write_text(text)
    print(text)


def measure(rounds: int) -> Results:
    with in_a_process(provider=200) as url, in_a_process(provider=50) as url_of_first:
        all_ = contenders(url)
        firsts = [contender for contender in contenders(url_of_first) if contender.name in {"ours", "floor"}]
        _say("cold starts")
        cold = measuring.cold_starts(all_, rounds)
        _say("downloads")
        warm = measuring.warm({one.name: Run(one, measuring.download) for one in all_}, rounds)
        _say("first downloads")
        first = measuring.warm({one.name: Run(one, measuring.first_download) for one in firsts}, rounds)
        _say("archiving")
        batches = {number: Run(archiver(url), measuring.batch(number), requests=1) for number in (1, 10)}
        archiving = measuring.warm(batches, rounds)
        unzipped = {one.name: unzipped_bytes(one.package) for one in all_}
    return Results(rounds, unzipped, cold, warm, first, archiving)


def _say(what: str) -> None:
    print(f"measuring {what} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
