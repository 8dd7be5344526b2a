"""Cuts from the built layer of dependencies what no function uses: it would be unpacked, searched and parsed at each
cold start. Files are left out or shortened; no code is changed.

`python -m tools.trim FOLDER`. A test holds what is kept against what is called: tests/e2e/test_package.py.
"""

import gzip
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

OPERATIONS = {
    "dynamodb": {"BatchGetItem"},
    "s3": {"GetObject", "PutObject"},
    "secretsmanager": {"GetSecretValue"},
    "sqs": {"ChangeMessageVisibility"},
}
"""What the functions ask of AWS, by botocore's service."""

BY_BOTOCORE_ITSELF: dict[str, set[str]] = {"s3": {"HeadBucket"}}
"""What botocore asks on its own: where a bucket is, after S3 has said that it is elsewhere."""

READ = {
    "GetObjectOutput": {"Body", "ChecksumSHA256", "ChecksumType", "ContentLength", "ContentRange", "ETag"},
}
"""Of long outputs, what is read: botocore looks for a header for each member, in each answer."""

UNUSED = [
    "**/*.pyi",
    "**/py.typed",
    "bin",
    "botocore/data/*/*/examples-1.json",
    "botocore/data/*/*/paginators-1*",
    "botocore/data/*/*/waiters-2.json",
    "botocore/data/dynamodb/2011-12-05",
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/metrics/provider/datadog",
]


def trim(python: Path) -> None:
    """`python` is what Lambda puts on the path."""
    for pattern in UNUSED:
        for path in list(python.glob(pattern)):
            _remove(path)
    data = python / "botocore" / "data"
    for folder in [path for path in data.iterdir() if path.is_dir() and path.name not in OPERATIONS]:
        _remove(folder)
    _rewrite(data / "endpoints.json", _trim_endpoints)
    for packed in list(data.rglob("*.json.gz")):  # unpacking would take longer than reading what is left
        document = json.loads(gzip.decompress(packed.read_bytes()))
        _write(packed.with_suffix(""), document)
        packed.unlink()
    for service, operations in OPERATIONS.items():
        (model,) = (data / service).glob("*/service-2.json")
        wanted = operations | BY_BOTOCORE_ITSELF.get(service, set[str]())
        _rewrite(model, partial(trim_model, operations=wanted))


def trim_model(model: dict[str, Any], operations: set[str]) -> dict[str, Any]:
    """A service's model with these operations only, the shapes that they use, and no documentation."""
    kept = {name: model["operations"][name] for name in sorted(operations)}
    for shape, members in READ.items():
        if shape in model["shapes"]:
            all_members = model["shapes"][shape]["members"]
            model["shapes"][shape]["members"] = {name: all_members[name] for name in sorted(members)}
    needed = set(_shapes(kept))
    todo = list(needed)
    while todo:
        new = set(_shapes(model["shapes"][todo.pop()])) - needed
        needed |= new
        todo += new
    shapes = {name: shape for name, shape in model["shapes"].items() if name in needed}
    # Elsewhere botocore reads the documentation itself.
    return model | {"operations": _undocumented(kept), "shapes": _undocumented(shapes)}


def _shapes(value: Any) -> Iterator[str]:
    """The names of all shapes that it refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("shape"), str):
            yield value["shape"]
        for item in value.values():
            yield from _shapes(item)
    elif isinstance(value, list):
        for item in value:
            yield from _shapes(item)


def _undocumented(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _undocumented(item) for key, item in value.items() if not _is_documentation(key, item)}
    return [_undocumented(item) for item in value] if isinstance(value, list) else value


def _is_documentation(key: str, value: Any) -> bool:
    return key in {"documentation", "documentationUrl"} and isinstance(value, str)


def _trim_endpoints(document: dict[str, Any]) -> dict[str, Any]:
    for partition in document["partitions"]:
        partition["services"] = {name: service for name, service in partition["services"].items() if name in OPERATIONS}
    return document


def _rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    _write(path, change(json.loads(path.read_text())))


def _write(path: Path, document: dict[str, Any]) -> None:
    """Replaces the file: writing into it would change all its hard links, and installers share files by them."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(document, separators=(",", ":")))
    new.replace(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


if __name__ == "__main__":
    trim(Path(sys.argv[1]))
