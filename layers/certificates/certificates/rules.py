"""Dataclasses whose fields are annotated with rules, checked by pydantic's core: `Annotated[str, TEXT]`.

pydantic itself makes such rules out of types, and to import it for that takes a fifth of a cold start.
Rules: https://docs.pydantic.dev/latest/api/pydantic_core_schema/
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, cast, get_args

from pydantic_core import CoreSchema, SchemaValidator, core_schema

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

TEXT = core_schema.str_schema(strict=True, min_length=1)
POSITIVE = core_schema.int_schema(gt=0)


def text(pattern: str) -> CoreSchema:
    """`pattern` is a regular expression of Rust, which `^` and `$` bind to the whole text."""
    return core_schema.str_schema(strict=True, pattern=pattern)


def one_of(*texts: str) -> CoreSchema:
    return core_schema.literal_schema(list(texts))


def parsed(parse: Callable[[Any], object]) -> CoreSchema:
    """What `parse` makes of a value; its ValueError says what is wrong."""
    return core_schema.no_info_plain_validator_function(parse)


def optional(schema: CoreSchema) -> CoreSchema:
    """None, absent, or what the schema says."""
    return core_schema.with_default_schema(core_schema.nullable_schema(schema), default=None)


def check[T: DataclassInstance](cls: type[T], values: Mapping[str, object], alias: Callable[[str], str]) -> T:
    """The dataclass filled from `values`, where a field is found under its alias; others are ignored.

    Raises pydantic_core.ValidationError.
    """
    return cast("T", _validator(cls, alias).validate_python(values))


@cache
def _validator(cls: "type[DataclassInstance]", alias: Callable[[str], str]) -> SchemaValidator:
    arguments = [
        core_schema.dataclass_field(one.name, get_args(one.type)[1], validation_alias=alias(one.name))
        for one in fields(cls)
    ]
    names = [one.name for one in fields(cls)]
    schema = core_schema.dataclass_args_schema(cls.__name__, arguments)
    return SchemaValidator(core_schema.dataclass_schema(cls, schema, names, post_init=hasattr(cls, "__post_init__")))
