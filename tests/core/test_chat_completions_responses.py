"""The Chat Completions dialect parses responses and decodes streams alike."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.dialects.base import UNKNOWN
from xai_lowcode.chat.dialects.chat_completions import DIALECT as CHAT_COMPLETIONS
from xai_lowcode.chat.dialects.chat_completions.response import parse_usage
from xai_lowcode.errors import InvalidResponseError
from xai_lowcode.types.events import TextDelta
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse, normalize_finish_reason

DIALECT = CHAT_COMPLETIONS


names = st.text(st.sampled_from("abc_"), min_size=1, max_size=5)
texts = st.text(max_size=8)
counts = st.integers(0, 500)


def create_usage(
    prompt: int, completion: int, reasoning: int | None, cached: int | None
) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion + (reasoning or 0),
        **({} if cached is None else {"prompt_tokens_details": {"cached_tokens": cached}}),
        **(
            {}
            if reasoning is None
            else {"completion_tokens_details": {"reasoning_tokens": reasoning}}
        ),
    }


@given(counts, counts, st.none() | counts, st.none() | counts)
def test_usage(prompt: int, completion: int, reasoning: int | None, cached: int | None) -> None:
    """Output includes reasoning, input and output add up to the total, None is preserved."""
    usage = parse_usage(
        {**create_usage(prompt, completion, reasoning, cached), "cost_in_usd_ticks": 10**9}
    )
    assert usage is not None
    assert usage.output_tokens == completion + (reasoning or 0)
    assert usage.input_tokens + usage.output_tokens == usage.total_tokens
    assert (usage.reasoning_tokens, usage.cached_input_tokens) == (reasoning, cached)
    assert usage.cost_usd == 0.1


def create_body(
    text: str, reasoning: str, calls: list[tuple[str, str]], finish_reason: Any, **fields: Any
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if reasoning:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = [
            {
                "id": f"c{index}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for index, (name, arguments) in enumerate(calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return {
        "id": "r",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "choices": [choice],
        **fields,
    }


bodies = st.builds(
    create_body,
    texts,
    texts,
    st.lists(st.tuples(names, st.sampled_from(["{}", '{"a": "é"}'])), max_size=3),
    st.sampled_from(["stop", "length", "tool_calls", "", None, "end_turn"]),
    usage=st.none() | st.builds(create_usage, counts, counts, counts, counts),
    citations=st.none() | st.lists(st.sampled_from(["u1", "u2", "u3"]), max_size=4),
    system_fingerprint=st.none() | names,
)


def split_into_chunks(body: dict[str, Any], size: int) -> list[dict[str, Any]]:
    """Return the chunks of a response like xAI's, with text deltas and heartbeats."""
    metadata = {
        key: value for key, value in body.items() if key not in {"choices", "usage", "citations"}
    }
    metadata["object"] = "chat.completion.chunk"

    def chunk(delta: dict[str, Any], finish_reason: Any = None) -> dict[str, Any]:
        return {
            **metadata,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
        }

    (choice,) = body["choices"]
    message = choice["message"]
    chunks = [chunk({"role": "assistant"}), chunk({})]
    for key in ("reasoning_content", "content"):
        text = message.get(key) or ""
        chunks += [chunk({key: text[i : i + size]}) for i in range(0, len(text), size)] + [
            chunk({})
        ]
    chunks += [
        chunk({"tool_calls": [{**call, "index": index}]})
        for index, call in enumerate(message.get("tool_calls", ()))
    ]
    # Citations come with the last chunks, each time all of them.
    chunks.append({**chunk({}, choice["finish_reason"]), "citations": body["citations"]})
    last = {**metadata, "choices": [], "usage": body["usage"], "citations": body["citations"]}
    return [*chunks, last]


def accumulate(chunks: list[dict[str, Any]]) -> ChatResponse:
    decoder, accumulator = DIALECT.decoder(), ResponseAccumulator()
    for chunk in chunks:
        for event in decoder.feed(chunk):
            accumulator.add(event)
    for event in decoder.finish():
        accumulator.add(event)
    return accumulator.build_response()


@given(bodies, st.integers(1, 4))
def test_a_stream_accumulates_to_the_response(body: dict[str, Any], size: int) -> None:
    """The chunks of a response accumulate to the parsed response.

    Without a finish reason a stream is incomplete, and its finish reason is empty.
    """
    accumulated, parsed = accumulate(split_into_chunks(body, size)), DIALECT.parse(body)
    if not body["choices"][0]["finish_reason"]:
        assert accumulated.finish_reason == ""
        parsed = replace(parsed, choices=(replace(parsed.choices[0], finish_reason=""),))
    assert accumulated == parsed


@given(bodies, st.integers(1, 4))
def test_a_stream_is_complete_with_its_finish_reason(body: dict[str, Any], size: int) -> None:
    """Only a finish reason makes a stream complete, not tool calls, usage or citations."""
    decoder = DIALECT.decoder()
    for chunk in split_into_chunks(body, size):
        list(decoder.feed(chunk))
    assert (
        decoder.complete == DIALECT.is_complete(body) == bool(body["choices"][0]["finish_reason"])
    )


def test_chunks_of_unknown_types() -> None:
    """Chunks without choices are known by usage or citations; heartbeats have choices."""
    unknown: list[dict[str, Any]] = [{}, {"detail": "x"}, {"object": "novelty"}, {"type": "error"}]
    for chunk in unknown:
        assert DIALECT.decoder().feed(chunk) is UNKNOWN
    known: list[dict[str, Any]] = [{"choices": []}, {"choices": [], "usage": None}, {"usage": {}}]
    for chunk in [*known, {"citations": []}]:
        events = DIALECT.decoder().feed(chunk)
        assert list(events) == []
        assert events is not UNKNOWN


@given(bodies, st.integers(1, 3))
def test_tool_call_deltas_are_combined_by_index(body: dict[str, Any], size: int) -> None:
    """Parallel tool calls whose arguments are split into chunks accumulate to the calls."""
    calls = body["choices"][0]["message"].get("tool_calls", ())
    all_chunks = split_into_chunks(body, 4)
    chunks: list[dict[str, Any]] = []
    for index, call in enumerate(calls):
        function = call["function"]
        start = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
        chunks.append({**all_chunks[0], "choices": [{"delta": {"tool_calls": [start]}}]})
        for at in range(0, len(function["arguments"]), size):
            delta = {
                "index": index,
                "function": {"arguments": function["arguments"][at : at + size]},
            }
            chunks.append({**all_chunks[0], "choices": [{"delta": {"tool_calls": [delta]}}]})
    assert accumulate([*chunks, *all_chunks[-2:]]).tool_calls == DIALECT.parse(body).tool_calls


@given(bodies)
def test_a_response_can_be_sent_back(body: dict[str, Any]) -> None:
    """A response as a message of the next request has the same text, reasoning and calls."""
    original = body["choices"][0]["message"]
    question = Message("user", (TextPart("Hello"),))
    reply = DIALECT.parse(body).choices[0].message
    request = ChatRequest(model="grok-4.7", messages=(question, reply))
    sent = DIALECT.render(request, stream=False)["messages"][1:]
    if not (original["content"] or original.get("tool_calls")):
        assert sent == []
        return
    (sent_message,) = sent
    assert sent_message["content"] == original["content"]
    assert sent_message.get("reasoning_content", "") == original.get("reasoning_content", "")
    assert sent_message.get("tool_calls", []) == original.get("tool_calls", [])


@for_each(
    "finish_reason", ["stop", "length", "tool_calls", "content_filter", "", None, "end_turn", 5]
)
def test_finish_reasons(finish_reason: Any) -> None:
    """The reason is tool_calls if there are calls that are not truncated, else xAI's, or stop."""
    truncated = finish_reason in {"length", "content_filter"}
    expected = finish_reason if truncated else "tool_calls"
    assert normalize_finish_reason(finish_reason, has_calls=True) == expected
    is_reason = isinstance(finish_reason, str) and finish_reason not in {"", "end_turn"}
    expected = finish_reason if is_reason else "stop"
    assert normalize_finish_reason(finish_reason, has_calls=False) == expected


def add_unknown_fields(value: Any) -> Any:
    """Return the document with an unknown field in every object."""
    if isinstance(value, dict):
        return {
            **{key: add_unknown_fields(item) for key, item in value.items()},
            "new_in_2031": {"x": [1]},
        }
    return [add_unknown_fields(item) for item in value] if isinstance(value, list) else value


@given(bodies)
def test_unknown_fields_are_ignored(body: dict[str, Any]) -> None:
    """Unknown fields change nothing but ``extra``, where those of the response are, and raw."""
    response = DIALECT.parse(add_unknown_fields(body))
    assert response == replace(DIALECT.parse(body), extra=response.extra)
    assert response.raw["new_in_2031"] == response.extra["new_in_2031"] == {"x": [1]}
    streamed = accumulate([add_unknown_fields(chunk) for chunk in split_into_chunks(body, 3)])
    assert streamed.extra == response.extra
    assert replace(streamed, extra={}) == accumulate(split_into_chunks(body, 3))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "delta",
                    "content",
                    "tool_calls",
                    "function",
                    "arguments",
                    "usage",
                    "index",
                    "finish_reason",
                    "logprobs",
                    "citations",
                    "id",
                    "prompt_tokens",
                    "refusal",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["choices", "usage", "citations", "id", "model", "created"]), json_values
    )
)
def test_any_object_is_parsed_or_invalid(body: dict[str, Any]) -> None:
    """Any body or chunk is parsed or raises InvalidResponseError."""
    for read in (DIALECT.parse, lambda chunk: accumulate([chunk])):
        try:
            response = read(body)
        except InvalidResponseError:
            continue
        assert isinstance(response.text, str)
        assert isinstance(response.finish_reason, str)


@for_each("choices", [None, [], {}, "x", [None], ["x"]])
def test_a_response_without_choices_is_invalid(choices: Any) -> None:
    """A body without a list of choices is invalid."""
    with pytest.raises(InvalidResponseError):
        DIALECT.parse({"id": "c", "choices": choices})


def test_several_choices() -> None:
    """Interleaved chunks of several choices are accumulated for each choice."""
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": i, "delta": {"content": f"{i}{letter}"}}]}
        for letter in "ab"
        for i in (1, 0, 2)
    ]
    chunks.append(
        {"choices": [{"index": i, "delta": {}, "finish_reason": "stop"} for i in range(3)]}
    )
    response = accumulate(chunks)
    assert [choice.text for choice in response.choices] == ["0a0b", "1a1b", "2a2b"]
    assert {choice.finish_reason for choice in response.choices} == {"stop"}


def test_usage_in_every_chunk() -> None:
    """The last usage counts; usages are not added."""
    chunks: list[dict[str, Any]] = [
        {"choices": [{"delta": {"content": "a"}}], "usage": create_usage(5, n, 0, 0)}
        for n in (1, 2, 3)
    ]
    usage = accumulate(chunks).usage
    assert usage is not None
    assert usage.output_tokens == 3


def test_logprobs() -> None:
    """Log probabilities are preserved, also those of a chunk without text."""
    logprobs = [{"token": "a", "logprob": -0.1}]
    chunk = {"choices": [{"delta": {"content": "a"}, "logprobs": {"content": logprobs}}]}
    chunk_without_text = {"choices": [{"delta": {}, "logprobs": {"content": logprobs}}]}
    events = [event for event in DIALECT.decoder().feed(chunk) if isinstance(event, TextDelta)]
    assert events[0].logprobs == tuple(logprobs)
    assert accumulate([chunk, chunk_without_text]).choices[0].logprobs == (*logprobs, *logprobs)


def test_tool_calls_without_an_index() -> None:
    """Without an index, a delta with an id starts a call, and one without continues it."""
    decoder = CHAT_COMPLETIONS.decoder()
    deltas = [
        {"id": "a", "function": {"name": "add", "arguments": "{"}},
        {"function": {"arguments": "}"}},
        {"id": "b", "function": {"name": "mul", "arguments": "{}"}},
    ]
    accumulator = ResponseAccumulator()
    for delta in deltas:
        chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [delta]}}]}
        for event in decoder.feed(chunk):
            accumulator.add(event)
    calls = accumulator.build_response().tool_calls
    assert [(call.id, call.name, call.arguments) for call in calls] == [
        ("a", "add", "{}"),
        ("b", "mul", "{}"),
    ]


def test_choices_are_sorted_by_index() -> None:
    """Choices are sorted by their index."""
    body = {
        "choices": [
            {"index": 1, "message": {"content": "second"}},
            {"index": 0, "message": {"content": "first"}},
        ]
    }
    assert [choice.text for choice in CHAT_COMPLETIONS.parse(body).choices] == ["first", "second"]
