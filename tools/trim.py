"""Removes from the built layer of dependencies the files that no function uses.

Lambda would unpack, search and parse them at each cold start. Files are deleted or shortened; no code is changed.
`python -m tools.trim FOLDER`. tests/e2e/test_package.py compares the rest with the calls that the functions make.
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
    "kms": {"Sign"},
    "s3": {"GetObject", "PutObject"},
    "secretsmanager": {"GetSecretValue", "PutSecretValue"},
    "sqs": {"ChangeMessageVisibility"},
}
"""The operations that the functions call, by botocore's service name."""

CALLED_BY_BOTOCORE: dict[str, set[str]] = {"s3": {"HeadBucket"}}
"""The operations that botocore calls on its own: it looks up the region of a bucket after a redirect."""

READ = {
    "GetObjectOutput": {"Body", "ChecksumSHA256", "ChecksumType", "ContentLength", "ContentRange", "ETag"},
}
"""The members of long outputs that the code reads: botocore looks for a header per member in each response."""

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
    """Trims `python`, the folder that Lambda puts on the path."""
    for pattern in UNUSED:
        for path in list(python.glob(pattern)):
            _remove(path)
    data = python / "botocore" / "data"
    for folder in [path for path in data.iterdir() if path.is_dir() and path.name not in OPERATIONS]:
        _remove(folder)
    _rewrite(data / "endpoints.json", _trim_endpoints)
    for packed in list(data.rglob("*.json.gz")):  # unzipping takes longer than reading the plain file
        document = json.loads(gzip.decompress(packed.read_bytes()))
        _write(packed.with_suffix(""), document)
        packed.unlink()
    for service, operations in OPERATIONS.items():
        (model,) = (data / service).glob("*/service-2.json")
        wanted = operations | CALLED_BY_BOTOCORE.get(service, set[str]())
        _rewrite(model, partial(trim_model, operations=wanted))


def trim_model(model: dict[str, Any], operations: set[str]) -> dict[str, Any]:
    """Reduces a service's model to these operations and the shapes that they use, without documentation."""
    kept = {name: model["operations"][name] for name in sorted(operations)}
    for shape, members in READ.items():
        if shape in model["shapes"]:
            all_members = model["shapes"][shape]["members"]
            model["shapes"][shape]["members"] = {name: all_members[name] for name in sorted(members)}
    needed = set(_find_shapes(kept))
    todo = list(needed)
    while todo:
        new = set(_find_shapes(model["shapes"][todo.pop()])) - needed
        needed |= new
        todo += new
    shapes = {name: shape for name, shape in model["shapes"].items() if name in needed}
    # Only here: botocore reads the documentation of other parts of the model.
    return model | {"operations": _drop_documentation(kept), "shapes": _drop_documentation(shapes)}


def _find_shapes(value: Any) -> Iterator[str]:
    """Yields the names of all shapes that the value refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("shape"), str):
            yield value["shape"]
        for item in value.values():
            yield from _find_shapes(item)
    elif isinstance(value, list):
        for item in value:
            yield from _find_shapes(item)


def _drop_documentation(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _drop_documentation(item) for key, item in value.items() if not _is_documentation(key, item)}
    return [_drop_documentation(item) for item in value] if isinstance(value, list) else value


def _is_documentation(key: str, value: Any) -> bool:
    return key in {"documentation", "documentationUrl"} and isinstance(value, str)


def _trim_endpoints(document: dict[str, Any]) -> dict[str, Any]:
    for partition in document["partitions"]:
        partition["services"] = {name: service for name, service in partition["services"].items() if name in OPERATIONS}
    return document


def _rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    _write(path, change(json.loads(path.read_text())))


def _write(path: Path, document: dict[str, Any]) -> None:
    """Replaces the file: writing into it would change all its hard links, and installers share files through them."""
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
