"""Law: everything the wire says is read, in one piece and in many."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def usage_of(
    prompt: int, visible: int, reasoning: int | None, cached: int | None
) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": visible,
        "total_tokens": prompt + visible + (reasoning or 0),
        **({} if cached is None else {"prompt_tokens_details": {"cached_tokens": cached}}),
        **(
            {}
            if reasoning is None
            else {"completion_tokens_details": {"reasoning_tokens": reasoning}}
        ),
    }


@given(counts, counts, st.none() | counts, st.none() | counts)
def test_usage_adds_up(
    prompt: int, visible: int, reasoning: int | None, cached: int | None
) -> None:
    """Output is what was seen and thought, input and output are the total, None is not zero."""
    usage = parse_usage(
        {**usage_of(prompt, visible, reasoning, cached), "cost_in_usd_ticks": 10**9}
    )
    assert usage is not None
    assert usage.output_tokens == visible + (reasoning or 0)
    assert usage.input_tokens + usage.output_tokens == usage.total_tokens
    assert (usage.reasoning_tokens, usage.cached_input_tokens) == (reasoning, cached)
    assert usage.cost_usd == 0.1


def body_of(
    text: str, reasoning: str, calls: list[tuple[str, str]], said: Any, **facts: Any
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
    choice = {"index": 0, "message": message, "finish_reason": said}
    return {
        "id": "r",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "choices": [choice],
        **facts,
    }


bodies = st.builds(
    body_of,
    texts,
    texts,
    st.lists(st.tuples(names, st.sampled_from(["{}", '{"a": "é"}'])), max_size=3),
    st.sampled_from(["stop", "length", "tool_calls", "", None, "end_turn"]),
    usage=st.none() | st.builds(usage_of, counts, counts, counts, counts),
    citations=st.none() | st.lists(st.sampled_from(["u1", "u2", "u3"]), max_size=4),
    system_fingerprint=st.none() | names,
)


def chunks_of(body: dict[str, Any], size: int) -> list[dict[str, Any]]:
    """A plain answer as xAI would stream it, its texts in pieces, with heartbeats between."""
    facts = {
        key: value for key, value in body.items() if key not in {"choices", "usage", "citations"}
    }
    facts["object"] = "chat.completion.chunk"

    def chunk(delta: dict[str, Any], said: Any = None) -> dict[str, Any]:
        return {**facts, "choices": [{"index": 0, "delta": delta, "finish_reason": said}]}

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
    last = {**facts, "choices": [], "usage": body["usage"], "citations": body["citations"]}
    return [*chunks, last]


def fold(chunks: list[dict[str, Any]]) -> ChatResponse:
    decoder, assembler = DIALECT.decoder(), ResponseAccumulator()
    for chunk in chunks:
        for event in decoder.feed(chunk):
            assembler.add(event)
    for event in decoder.done():
        assembler.add(event)
    return assembler.reply()


@given(bodies, st.integers(1, 4))
def test_folding_a_stream_gives_the_plain_reply(body: dict[str, Any], size: int) -> None:
    """Events of an answer in any pieces fold into the reply that the plain answer is.

    If it has its finish reason: without one a stream is not whole, and says no reason of its own.
    """
    folded, plain = fold(chunks_of(body, size)), DIALECT.parse(body)
    if not body["choices"][0]["finish_reason"]:
        assert folded.finish_reason == ""
        plain = replace(plain, choices=(replace(plain.choices[0], finish_reason=""),))
    assert folded == plain


@given(bodies, st.integers(1, 4))
def test_a_stream_is_complete_with_its_finish_reason(body: dict[str, Any], size: int) -> None:
    """Whatever else came: also tool calls, usage and citations are no finish."""
    decoder = DIALECT.decoder()
    for chunk in chunks_of(body, size):
        list(decoder.feed(chunk))
    assert (
        decoder.complete == DIALECT.is_complete(body) == bool(body["choices"][0]["finish_reason"])
    )


def test_a_chunk_of_an_unknown_kind_is_told_apart() -> None:
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
def test_tool_calls_in_pieces_are_put_together_by_index(body: dict[str, Any], size: int) -> None:
    """Arguments cut into many chunks, all calls side by side, give the same calls."""
    calls = body["choices"][0]["message"].get("tool_calls", ())
    whole = chunks_of(body, 4)
    pieces: list[dict[str, Any]] = []
    for index, call in enumerate(calls):
        function = call["function"]
        begun = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
        pieces.append({**whole[0], "choices": [{"delta": {"tool_calls": [begun]}}]})
        for at in range(0, len(function["arguments"]), size):
            more = {
                "index": index,
                "function": {"arguments": function["arguments"][at : at + size]},
            }
            pieces.append({**whole[0], "choices": [{"delta": {"tool_calls": [more]}}]})
    assert fold([*pieces, *whole[-2:]]).tool_calls == DIALECT.parse(body).tool_calls


@given(bodies)
def test_a_reply_can_be_sent_back(body: dict[str, Any]) -> None:
    """A reply as a turn of the next request repeats text, thoughts and calls unchanged."""
    said = body["choices"][0]["message"]
    question = Message("user", (TextPart("Hello"),))
    reply = DIALECT.parse(body).choices[0].message
    request = ChatRequest(model="grok-4.7", messages=(question, reply))
    sent = DIALECT.render(request, stream=False)["messages"][1:]
    if not (said["content"] or said.get("tool_calls")):
        assert sent == []
        return
    (again,) = sent
    assert again["content"] == said["content"]
    assert again.get("reasoning_content", "") == said.get("reasoning_content", "")
    assert again.get("tool_calls", []) == said.get("tool_calls", [])


@pytest.mark.parametrize(
    "said", ["stop", "length", "tool_calls", "content_filter", "", None, "end_turn", 5]
)
def test_waiting_calls_are_the_reason(said: Any) -> None:
    """With calls the reason is tool_calls whatever is said; without, the wire's word or stop."""
    assert normalize_finish_reason(said, has_calls=True) == "tool_calls"
    expected = said if isinstance(said, str) and said not in {"", "end_turn"} else "stop"
    assert normalize_finish_reason(said, has_calls=False) == expected


def strewn(value: Any) -> Any:
    """The document with unknown members in every object."""
    if isinstance(value, dict):
        return {**{key: strewn(member) for key, member in value.items()}, "new_in_2031": {"x": [1]}}
    return [strewn(item) for item in value] if isinstance(value, list) else value


@given(bodies)
def test_unknown_members_change_nothing(body: dict[str, Any]) -> None:
    """Whatever new members xAI adds, anywhere, the reply is the same, and raw keeps them."""
    reply = DIALECT.parse(strewn(body))
    assert reply == DIALECT.parse(body)
    assert reply.raw["new_in_2031"] == {"x": [1]}
    assert fold([strewn(chunk) for chunk in chunks_of(body, 3)]) == fold(chunks_of(body, 3))


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
def test_any_object_is_read_or_unreadable(body: dict[str, Any]) -> None:
    """No body or chunk, however odd, fails in another way than with our own error."""
    for read in (DIALECT.parse, lambda chunk: fold([chunk])):
        try:
            reply = read(body)
        except InvalidResponseError:
            continue
        assert isinstance(reply.text, str)
        assert isinstance(reply.finish_reason, str)


@pytest.mark.parametrize("choices", [None, [], {}, "x", [None], ["x"]])
def test_without_choices_there_is_no_reply(choices: Any) -> None:
    """A body without a list of choices is unreadable, not an empty reply."""
    with pytest.raises(InvalidResponseError):
        DIALECT.parse({"id": "c", "choices": choices})


def test_several_answers_keep_apart() -> None:
    """Chunks of several answers in turn give each its own text and reason."""
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": i, "delta": {"content": f"{i}{word}"}}]}
        for word in "ab"
        for i in (1, 0, 2)
    ]
    chunks.append(
        {"choices": [{"index": i, "delta": {}, "finish_reason": "stop"} for i in range(3)]}
    )
    reply = fold(chunks)
    assert [choice.text for choice in reply.choices] == ["0a0b", "1a1b", "2a2b"]
    assert {choice.finish_reason for choice in reply.choices} == {"stop"}


def test_usage_that_comes_with_every_chunk_is_not_summed() -> None:
    """Of a running usage the last counts."""
    chunks: list[dict[str, Any]] = [
        {"choices": [{"delta": {"content": "a"}}], "usage": usage_of(5, n, 0, 0)} for n in (1, 2, 3)
    ]
    usage = fold(chunks).usage
    assert usage is not None
    assert usage.output_tokens == 3


def test_probabilities_come_with_their_text() -> None:
    """Log probabilities are kept, plain and streamed, also of a chunk without text."""
    odds = [{"token": "a", "logprob": -0.1}]
    chunk = {"choices": [{"delta": {"content": "a"}, "logprobs": {"content": odds}}]}
    late = {"choices": [{"delta": {}, "logprobs": {"content": odds}}]}
    events = [event for event in DIALECT.decoder().feed(chunk) if isinstance(event, TextDelta)]
    assert events[0].logprobs == tuple(odds)
    assert fold([chunk, late]).choices[0].logprobs == (*odds, *odds)


def test_calls_without_a_number_are_told_apart_by_their_ids() -> None:
    """Where the wire gives no index, an id begins a call and pieces without one go on with it."""
    decoder = CHAT_COMPLETIONS.decoder()
    pieces = [
        {"id": "a", "function": {"name": "add", "arguments": "{"}},
        {"function": {"arguments": "}"}},
        {"id": "b", "function": {"name": "mul", "arguments": "{}"}},
    ]
    assembler = ResponseAccumulator()
    for piece in pieces:
        chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]}
        for event in decoder.feed(chunk):
            assembler.add(event)
    calls = assembler.reply().tool_calls
    assert [(call.id, call.name, call.arguments) for call in calls] == [
        ("a", "add", "{}"),
        ("b", "mul", "{}"),
    ]


def test_choices_come_in_the_order_of_their_numbers() -> None:
    """Several answers are sorted as the wire numbers them, not as it lists them."""
    body = {
        "choices": [
            {"index": 1, "message": {"content": "second"}},
            {"index": 0, "message": {"content": "first"}},
        ]
    }
    assert [choice.text for choice in CHAT_COMPLETIONS.parse(body).choices] == ["first", "second"]
