"""Filtering the list of files: comparisons, one after another, all of which must hold."""

import operator
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from xai_lowcode.emulator.answers import invalid
from xai_lowcode.emulator.store import StoredFile

COMPARISON = re.compile(r"\s*(\w+)\s*(>=|<=|!=|=|>|<|:)\s*(\"[^\"]*\"|\S+)\s*")
FIELDS: dict[str, Callable[[StoredFile], Any]] = {
    "name": lambda file: file.name,
    "file_name": lambda file: file.name,
    "file_id": lambda file: file.id,
    "size_bytes": lambda file: len(file.content),
    "content_type": lambda file: file.content_type,
    "created_at": lambda file: datetime.fromtimestamp(file.created_at, UTC),
    "upload_status": lambda file: file.old_card()["upload_status"],
}
LOOSE = frozenset({"name", "file_name", "content_type"})
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def kept(files: Iterable[StoredFile], text: str) -> list[StoredFile]:
    """Keeps the files for which a filter holds; `OR` and `NOT` are refused."""
    tests = [_test(part) for part in re.split(r"\sAND\s", text)] if text else []
    return [file for file in files if all(test(file) for test in tests)]


def _test(text: str) -> Callable[[StoredFile], bool]:
    match = COMPARISON.fullmatch(text)
    if match is None or match[1] not in FIELDS:
        raise invalid(f"Invalid argument: filter not understood: {text.strip()}")
    name, sign, wanted = match[1], match[2], match[3].strip('"')
    read = FIELDS[name]
    if sign == ":" or (sign == "=" and name in LOOSE):
        return lambda file: wanted.lower() in str(read(file)).lower()
    value = _read(name, wanted)
    return lambda file: COMPARE[sign](read(file), value)


def _read(name: str, text: str) -> Any:
    try:
        if name == "size_bytes":
            return int(text)
        return datetime.fromisoformat(text) if name == "created_at" else text
    except ValueError:
        raise invalid(f"Invalid argument: filter compares {name} with {text}") from None
