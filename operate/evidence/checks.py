"""A check and its outcome, as reports state it."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from operate.output import make_printable

QUOTED_CHARACTERS = 60
"""The most characters of a text from outside in a sentence. `evidence.json` has all of it."""


class Part(BaseModel):
    """A part of `evidence.json`."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Check(Part):
    """`subject` and `sentence` are the program's own words, in which texts from outside are quoted."""

    subject: str
    outcome: Literal["confirmed", "contradicted", "not_determined"]
    sentence: str


def confirm(subject: str, sentence: str) -> Check:
    return Check(subject=subject, outcome="confirmed", sentence=sentence)


def contradict(subject: str, sentence: str) -> Check:
    return Check(subject=subject, outcome="contradicted", sentence=sentence)


def leave_open(subject: str, sentence: str) -> Check:
    """The sentence says why it is not determined."""
    return Check(subject=subject, outcome="not_determined", sentence=sentence)


def quote(text: str | None) -> str:
    """Marks a text from outside, which is then no sentence of the program: printable, short, in double quotes."""
    if text is None:
        return "(not known)"
    short = text if len(text) <= QUOTED_CHARACTERS else f"{text[: QUOTED_CHARACTERS - 1]}…"
    return f'"{make_printable(short).replace('"', "'")}"'


def format_time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
