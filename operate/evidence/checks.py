"""A check and its outcome, as reports state it."""

from datetime import UTC, datetime
from typing import Literal

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from certificates.aws import error_code
from operate.output import make_printable

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


def confirm(subject: str, sentence: str) -> Check:
    return Check(subject=subject, outcome="confirmed", sentence=sentence)


def contradict(subject: str, sentence: str) -> Check:
    return Check(subject=subject, outcome="contradicted", sentence=sentence)


def leave_open(subject: str, sentence: str) -> Check:
    """The sentence says why it is not determined."""
    return Check(subject=subject, outcome="not_determined", sentence=sentence)


def quote(text: str | None) -> str:
    """Marks a text from outside, so that it can't be read as the program's own words: printable, shortened, in double
    quotes, with none inside."""
    if text is None:
        return "(not known)"
    short = text if len(text) <= QUOTED_CHARACTERS else f"{text[: QUOTED_CHARACTERS - 1]}…"
    return f'"{make_printable(short).replace('"', "'")}"'


def format_time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def describe_cause(error: Exception) -> str:
    """Says why AWS gave no result, without AWS's message: a text from outside, and long."""
    if isinstance(error, ClientError):
        return f"AWS refused {error.operation_name} with {quote(error_code(error))}"
    return f"AWS did not answer ({error_code(error)})"
