"""Each leaf of a response changes what the adapters return, plain and streamed.

A leaf is changed, and something that the user gets must change; ``raw`` and the output items that
are sent back unchanged do not count. Of the leaves of all recorded bodies, and of bodies with every
field of xAI's OpenAPI document, two for each path are tried. The exceptions are in one table.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, reduce
from itertools import groupby
from operator import add
from typing import Any

import pytest

from tests.recorded.bodies import cases
from tests.recorded.laws import bodies_of_law
from tests.recorded.leaves import Json, Path, changed, leaves, pattern, specified
from tests.recorded.parsing import events_in, parse
from tests.recorded.rendering import WRITERS, plain_of

pytest.importorskip("langchain_core")
pytest.importorskip("llama_index.core")
if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

from llama_index.core.base.llms.types import ChatMessage

from langchain_xai_lowcode import images as langchain_images
from langchain_xai_lowcode._output import to_result
from langchain_xai_lowcode._stream import ChunkBuilder
from llama_index_xai_lowcode import images as llama_index_images
from llama_index_xai_lowcode._request import prepare_request
from llama_index_xai_lowcode._responses import to_response
from llama_index_xai_lowcode._stream import ResponseBuilder
from xai_lowcode.api.images import parse_images
from xai_lowcode.errors import XAILowCodeError
from xai_lowcode.types.images import ImageRequest

PREPARED = prepare_request("grok-4.7", [ChatMessage("?")], {})
IMAGE_REQUEST = ImageRequest(prompt="?", model="grok-imagine-image")
SAMPLES = 2

BODY = frozenset({"raw"})
ITEMS = frozenset({"xai_items", "additional_information"})
"""Keys of the output items, in LangChain and in LlamaIndex."""

IN_ITEMS = "It is in the output items, which are sent back unchanged."
CONSTANT = "xAI's specification has one value."
SHAPE = "It names the shape of its siblings, by which they are read."
ORDER = "It is the position, which is kept."
REQUEST = "It is an option of the request."
CALLS = "Beside tool calls the finish reason is always tool_calls."

EXCEPTIONS: dict[str, dict[str, str]] = {
    "chat_completions": {
        "choices[].finish_reason": CALLS,
        "choices[].index": ORDER,
        "choices[].message.role": CONSTANT,
        "choices[].message.tool_calls[*].index": ORDER,
        "choices[].message.tool_calls[*].type": CONSTANT,
        "choices[].message.parsed.*": "No member of xAI's; it repeats the content.",
        "object": CONSTANT,
    },
    "messages": {
        "content[*].type": SHAPE,
        "content[redacted_thinking].data": IN_ITEMS,
        "content[thinking].signature": IN_ITEMS,
        "role": CONSTANT,
        "stop_reason": CALLS,
        "type": CONSTANT,
    },
    "responses": {
        "object": CONSTANT,
        "output[function_call].id": IN_ITEMS,
        "output[function_call].status": IN_ITEMS,
        "output[message].content[*].annotations[url_citation].type": CONSTANT,
        "output[message].content[*].type": SHAPE,
        "output[message].id": IN_ITEMS,
        "output[message].status": IN_ITEMS,
        "output[message].type": "In a stream the events of its text name it.",
        "output[reasoning].content[reasoning_text].type": SHAPE,
        "output[reasoning].encrypted_content": IN_ITEMS,
        "output[reasoning].id": IN_ITEMS,
        "output[reasoning].status": IN_ITEMS,
        "output[reasoning].summary[summary_text].type": SHAPE,
        "output[reasoning].type": "In a stream the events of its text name it.",
        "output[shell_call].id": IN_ITEMS,
        "output[shell_call].status": IN_ITEMS,
        "usage.completion_tokens": "The total counts, which has the reasoning tokens, too.",
        **dict.fromkeys(
            (
                *("background", "frequency_penalty", "instructions", "max_output_tokens"),
                *("max_tool_calls", "parallel_tool_calls", "presence_penalty"),
                *("previous_response_id", "prompt_cache_key", "reasoning.*", "safety_identifier"),
                *("store", "temperature", "text.*", "tool_choice", "tool_choice.*", "tools[*"),
                *("top_logprobs", "top_p", "truncation", "user"),
            ),
            REQUEST,
        ),
    },
    "images": {"data[].b64_json": "xAI returns the URL or the data, not both."},
}
"""By API: the leaves that change nothing, with the reason; ``*`` stands for any text."""


def read_langchain(api: str, body: Json) -> Any:
    """Read a response by LangChain's adapter."""
    if api == "images":
        return langchain_images._to_blocks(parse_images(body), IMAGE_REQUEST)
    result = to_result(parse(api, body), PREPARED.request, with_headers=False)
    return [result.llm_output, *(g.message.model_dump() for g in result.generations)]


def stream_langchain(api: str, body: Json) -> Any:
    """Read the stream of a response by LangChain's adapter; LangChain's addition merges it."""
    builder = ChunkBuilder(PREPARED.request)
    fed = [builder.feed(event) for event in events_in(api, WRITERS[api](body))]
    chunks: list[Any] = [chunk.message for chunk in [*fed, *builder.end()] if chunk is not None]
    return reduce(add, chunks).model_dump()


def read_llama_index(api: str, body: Json) -> Any:
    """Read a response by LlamaIndex's adapter."""
    if api == "images":
        blocks = llama_index_images._to_blocks(parse_images(body), IMAGE_REQUEST.model)
        return [block.model_dump() for block in blocks]
    return to_response(parse(api, body), PREPARED).model_dump()


def stream_llama_index(api: str, body: Json) -> Any:
    """Read the stream of a response by LlamaIndex's adapter."""
    builder = ResponseBuilder(PREPARED)
    for event in events_in(api, WRITERS[api](body)):
        builder.add(event)
    return builder.build_final().model_dump()


READERS: dict[str, Callable[[str, Json], Any]] = {
    "langchain": read_langchain,
    "langchain streamed": stream_langchain,
    "llama_index": read_llama_index,
    "llama_index streamed": stream_llama_index,
}
READINGS = [
    (api, reader)
    for api in EXCEPTIONS
    for reader in READERS
    if api in WRITERS or not reader.endswith("streamed")
]


def visible(api: str, reader: str, body: Json, hidden: frozenset[str]) -> Any:
    """Return what the user gets, without hidden keys: a response or an error."""
    try:
        return without(READERS[reader](api, body), hidden)
    except XAILowCodeError as error:
        return str(error)


def without(document: Any, hidden: frozenset[str]) -> Any:
    """Return a document without some keys, at any depth."""
    if isinstance(document, dict):
        return {k: without(v, hidden) for k, v in document.items() if k not in hidden}
    return [without(each, hidden) for each in document] if isinstance(document, list) else document


@cache
def samples(api: str) -> list[tuple[str, Json, Path]]:
    """Return leaves of the smallest bodies, not more than ``SAMPLES`` for each path."""
    recorded = [plain_of(case) for case in bodies_of_law("folded") if case.api == api]
    recorded += [case.json for case in cases("images") if api == "images"]
    bodies = [*specified(api), *sorted(recorded, key=lambda body: len(json.dumps(body)))]
    taken: Counter[str] = Counter()
    found = []
    for body in bodies:
        for path in leaves(body):
            name = pattern(body, path)
            if taken[name] < SAMPLES:
                taken[name] += 1
                found.append((name, body, path))
    return found


def exceptions_of(api: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield the exceptions that match a leaf, with their reasons."""
    for glob, reason in EXCEPTIONS[api].items():
        if re.fullmatch(re.escape(glob).replace(r"\*", ".*"), name):
            yield glob, reason


@cache
def hidden_leaves(api: str, reader: str) -> frozenset[str]:
    """Return the leaves that change nothing."""
    hidden = BODY | ITEMS
    names = set()
    # The leaves of a body follow each other.
    for _, leaves_of_body in groupby(samples(api), key=lambda sample: id(sample[1])):
        before = None
        for name, body, path in leaves_of_body:
            before = visible(api, reader, body, hidden) if before is None else before
            assert not isinstance(before, str)
            if visible(api, reader, changed(body, path), hidden) == before:
                names.add(name)
    return frozenset(names)


@pytest.mark.parametrize(("api", "reader"), READINGS)
def test_every_leaf_changes_the_result(api: str, reader: str) -> None:
    """Each leaf changes what the user gets, unless it is an exception."""
    assert [name for name in hidden_leaves(api, reader) if not any(exceptions_of(api, name))] == []


@pytest.mark.parametrize(("api", "reader"), READINGS)
def test_leaves_of_items_change_the_items(api: str, reader: str) -> None:
    """Leaves with the reason ``IN_ITEMS`` change the output items."""
    for name, body, path in samples(api):
        if any(reason == IN_ITEMS for _, reason in exceptions_of(api, name)):
            changed_body = changed(body, path)
            assert visible(api, reader, body, BODY) != visible(api, reader, changed_body, BODY)


@pytest.mark.parametrize("api", EXCEPTIONS)
def test_every_exception_is_needed(api: str) -> None:
    """Each exception matches a leaf that changes nothing in some reader."""
    names = set().union(*(hidden_leaves(api, reader) for f, reader in READINGS if f == api))
    needed = {glob for name in names for glob, _ in exceptions_of(api, name)}
    assert needed == set(EXCEPTIONS[api])


def table() -> str:
    """Return a table with the number of leaves that change nothing, by API and reader."""
    lines = ["| form | paths | reader | do not show | no exception |", "|---|---|---|---|---|"]
    for api, reader in READINGS:
        names = hidden_leaves(api, reader)
        unexplained = [name for name in names if not any(exceptions_of(api, name))]
        paths = len({name for name, _, _ in samples(api)})
        lines.append(f"| {api} | {paths} | {reader} | {len(names)} | {len(unexplained)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201 - the table is what the command is for
