"""Read structured output: the JSON in the text of a response, and the value in it.

Models put JSON into a Markdown code fence at times, also if a schema is set. Nothing is repaired:
invalid or truncated JSON would become another object than the model meant.
"""

import json as standard_json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from xai_lowcode._internal import json
from xai_lowcode.errors import InvalidResponseError
from xai_lowcode.json_schema.sources import unwrap_value

_FENCE = "```"
_LANGUAGE = re.compile(r"[A-Za-z]\w*[ \t]*\r?\n|json", re.IGNORECASE)
# First characters of JSON, in which a fence is part of a string.
_JSON_STARTS = ("{", "[", '"')
_BRACKETS = frozenset("[]{}")
_BLANK = "\ufeff \t\r\n"


def parse_json(text: str) -> Any:
    r"""Parse the JSON of a response: the whole text, the only code fence in it, or the only object.

    White space and a byte order mark around it are ignored. Other text around it is, too, but
    without a code fence it must not have brackets or braces, since these may be more JSON.

    Args:
        text: The text of a complete response.

    Raises:
        JSONDecodeError: There is no valid JSON, or more than one code fence or object.

    Example:
        >>> parse_json('Here it is:\n```json\n{"name": "Ada"}\n```')
        {'name': 'Ada'}
    """
    content, is_fenced = _find_json(text)
    if is_fenced:
        end = content.rfind(_FENCE)
        return json.loads_exactly(content if end < 0 else content[:end])
    try:
        return json.loads_exactly(content)
    except json.JSONDecodeError:
        start, end = content.find("{"), content.rfind("}") + 1
        around = content[:start] + content[end:]
        if start < 0 or content.startswith('"') or not _BRACKETS.isdisjoint(around):
            raise
        return json.loads_exactly(content[start:end])


def select_json(text: str, items: Sequence[Mapping[str, Any]], dialect: str) -> str:
    """Return the part of the text of a response that is the JSON: the last message that is JSON.

    Other messages of Responses are comments, for instance before a server-side tool is used, which
    may be JSON too.

    Args:
        text: The text of a response.
        items: Its output items.
        dialect: The dialect of the items.

    Example:
        >>> items = [
        ...     {"type": "message", "content": [{"text": text}]}
        ...     for text in ("I look for {x}.", '{"x": 1}')
        ... ]
        >>> select_json('I look for {x}.{"x": 1}', items, "responses")
        '{"x": 1}'
    """
    if dialect != "responses":
        return text
    from xai_lowcode.chat.dialects.responses.response import parse_texts  # noqa: PLC0415 - on first use

    try:
        texts = [part for part in parse_texts(items) if part]
    except InvalidResponseError:
        return text
    if len(texts) < 2 or "".join(texts) != text:  # noqa: PLR2004 - one message is the whole text
        return text
    return next(filter(_is_json, reversed(texts)), text)


def _is_json(text: str) -> bool:
    try:
        parse_json(text)
    except json.JSONDecodeError:
        return False
    return True


def parse_partial_json(text: str) -> Any:
    r"""Parse the beginning of the JSON of a response, as far as it has arrived.

    Args:
        text: The beginning of the text of a response.

    Raises:
        ValueError: There is no JSON yet, or it is invalid.

    Example:
        >>> parse_partial_json('```json\n{"name": "Ad')
        {'name': 'Ad'}
    """
    content, _ = _find_json(text)
    return from_json(content, allow_partial="trailing-strings")


def dump_value(data: Any, *, is_wrapped: bool) -> str:
    """Return the JSON that pydantic validates, by its rules for JSON, which differ from Python's.

    Args:
        data: The parsed JSON of a response.
        is_wrapped: Whether the value is the field ``value`` of an object.

    Raises:
        ValueError: There is no such object.

    Example:
        >>> dump_value({"value": [1, 2]}, is_wrapped=True)
        '[1, 2]'
    """
    value = unwrap_value(data) if is_wrapped else data
    text = standard_json.dumps(value)
    # pydantic rejects lone surrogates, which LangChain leaves in streamed tool calls.
    return standard_json.dumps(json.replace_surrogates(value)) if "\\ud" in text else text


def _find_json(text: str) -> tuple[str, bool]:
    """Return the text from the beginning of the JSON on, and whether it is in a code fence."""
    content = text.strip(_BLANK)
    if content.startswith(_JSON_STARTS):
        return content, False
    _, fence, fenced = content.partition(_FENCE)
    if not fence:
        return content, False
    language = _LANGUAGE.match(fenced)
    return (fenced if language is None else fenced[language.end() :]).lstrip(_BLANK), True
