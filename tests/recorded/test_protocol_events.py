"""LangChain's protocol events of recorded streams agree, native ones and those from chunks."""

import pytest

from tests.recorded.bodies import Case, cases
from tests.recorded.laws import for_law
from tests.recorded.parsing import cut_at, events_in, parse
from tests.recorded.rendering import blocks_of, plain_of

pytest.importorskip("langchain_core")
if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

from langchain_core.messages import AIMessage

from langchain_xai_lowcode._output import to_result
from tests.langchain.protocol_events import (
    NATIVE,
    from_chunks,
    message_of,
    native,
    request,
    without_lost_data,
)

SIZES = (7, 61, 1_000)


@NATIVE
@for_law("folded")
def test_native_events_are_those_of_the_chunks(case: Case) -> None:
    """Native events equal those from chunks, except for data that chunks cannot express."""
    events = events_in(case.api, blocks_of(case))
    assert without_lost_data(native(events)) == without_lost_data(from_chunks(events))


@for_law("any cut")
def test_native_events_do_not_depend_on_the_cut(case: Case) -> None:
    """The events depend on the bytes, not on the chunks in which they arrive."""
    content = b"".join(blocks_of(case))
    whole = native(events_in(case.api, [content]))
    for size in SIZES:
        pieces = cut_at(content, range(size, len(content), size))
        assert native(events_in(case.api, pieces)) == whole


@for_law("folded")
def test_the_message_of_native_events_is_the_plain_message(case: Case) -> None:
    """Text, tool calls, usage, metadata and output items equal those of a plain message."""
    message = message_of(native(events_in(case.api, blocks_of(case))))
    result = to_result(parse(case.api, plain_of(case)), request(), with_headers=False)
    plain = result.generations[0].message
    assert isinstance(plain, AIMessage)
    message.response_metadata.pop("output_version")
    assert message.response_metadata == plain.response_metadata
    assert message.additional_kwargs == plain.additional_kwargs
    assert message.usage_metadata == plain.usage_metadata
    assert message.tool_calls == plain.tool_calls
    assert message.invalid_tool_calls == plain.invalid_tool_calls
    assert message.text == plain.text
