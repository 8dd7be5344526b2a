"""SignaturesTable, walked in parallel segments. Memory holds one page of each segment, however large the table is."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC
from threading import Event
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from certificates.errors import InvalidRecord, RecordsUnavailable
from certificates.models import Signature

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE_ITEMS = 1000

Key = Mapping[str, Any]
"""DynamoDB's LastEvaluatedKey."""


@dataclass(frozen=True)
class Broken:
    """An item that breaks the rules of its table, and the attributes that do."""

    id: str
    problems: Mapping[str, str]


@dataclass(frozen=True)
class Page:
    """`scanned` counts all items; those without a certificate are neither available nor broken. `last_key` is where
    the segment goes on, None at its end."""

    scanned: int
    available: list[Signature]
    broken: list[Broken]
    last_key: Key | None


@dataclass(frozen=True)
class Described:
    """`identity` differs from that of every other table, also of a later one of the same name. `items` is some hours
    old."""

    identity: str
    items: int


class Signatures:
    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._deserialize = TypeDeserializer().deserialize

    def describe(self) -> Described:
        table = self._dynamodb.describe_table(TableName=self._table)["Table"]
        created = table["CreationDateTime"].astimezone(UTC).isoformat(timespec="seconds")
        return Described(f"{table['TableArn']} of {created}", table["ItemCount"])

    def pages(self, segment: int, segments: int, after: Key | None = None) -> Iterator[Page]:
        """The pages of one segment, behind the key `after`.

        Reads are eventually consistent, at half the price: what was written this second is the stream's business.
        """
        key = {} if after is None else {"ExclusiveStartKey": after}
        while True:
            answer = self._dynamodb.scan(
                TableName=self._table,
                Segment=segment,
                TotalSegments=segments,
                Limit=PAGE_ITEMS,
                ProjectionExpression="id, projectId, certificateUrl, #status",
                ExpressionAttributeNames={"#status": "status"},
                **key,  # type: ignore[arg-type]
            )
            last_key = answer.get("LastEvaluatedKey")
            yield self._page(read_items(answer), last_key)
            if not last_key:
                return
            key = {"ExclusiveStartKey": last_key}

    def _page(self, items: list[dict[str, Any]], last_key: Key | None) -> Page:
        available, broken = [], []
        for item in items:
            plain = {name: self._deserialize(value) for name, value in item.items()}
            try:
                signature = Signature.from_item(plain)
            except InvalidRecord as error:
                broken.append(Broken(str(plain["id"]), error.problems))
            else:
                if signature.certificate_url is not None:
                    available.append(signature)
        return Page(len(items), available, broken, last_key or None)


def read_items(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The items of a scan's answer. boto3 parses a non-JSON body as an answer without any field.

    Raises RecordsUnavailable.
    """
    if "Items" not in answer:
        raise RecordsUnavailable("MalformedAnswer")
    return answer["Items"]  # type: ignore[no-any-return]


def in_parallel(segments: list[int], work: Callable[[int, Event], None]) -> None:
    """Works on each segment in a thread of its own. After Ctrl-C or an error, the event asks the others to stop."""
    stop = Event()
    with ThreadPoolExecutor(max_workers=max(len(segments), 1)) as workers:
        try:
            for future in as_completed([workers.submit(work, segment, stop) for segment in segments]):
                future.result()
        except BaseException:
            stop.set()
            raise
