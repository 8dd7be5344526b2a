"""A check and its outcome, as reports state it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from tools.operate.output import make_printable

Outcome = Literal["confirmed", "contradicted", "not_determined"]

QUOTED_CHARACTERS = 60
"""The most characters of a text from outside in a sentence. `evidence.json` has all of it."""


class Part(BaseModel):
    """A part of `evidence.json`."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Check(Part):
    """`subject` and `sentence` are the program's own words, in which texts from outside are quoted."""

    subject: str
    outcome: Outcome
    sentence: str


def quote(text: str) -> str:
    """Marks a text from outside, so that it can't be read as the program's own words: printable, shortened, in double
    quotes, with none inside."""
    short = text if len(text) <= QUOTED_CHARACTERS else f"{text[: QUOTED_CHARACTERS - 1]}…"
    return f'"{make_printable(short).replace('"', "'")}"'
