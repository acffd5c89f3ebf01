"""``ChatXAILowCode``: sync and async calls, options, errors, pickling."""

import copy
import json
import multiprocessing
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage

from langchain_xai_lowcode import ChatXAILowCode
from tests.cases import for_each
from xai_lowcode import PollingOptions
from xai_lowcode.errors import UsageError

Chat = Callable[..., ChatXAILowCode]


def merged(chunks: list[Any]) -> AIMessageChunk:
    """Return the sum of the chunks of a stream."""
    first, *rest = chunks
    for chunk in rest:
        first += chunk
    assert isinstance(first, AIMessageChunk)
    return first


def facts(message: AIMessage) -> dict[str, Any]:
    """Return what must be equal in each method."""
    metadata = message.response_metadata
    names = ("model_name", "finish_reason", "cost_usd", "system_fingerprint", "model_provider")
    return {
        "text": message.text,
        "reasoning": message.additional_kwargs.get("reasoning_content"),
        "calls": [(call["name"], call["args"]) for call in message.tool_calls],
        "usage": message.usage_metadata,
        **{name: metadata.get(name) for name in names},
    }


@pytest.mark.parametrize("envelope", ["result", "data", "bare"])
@pytest.mark.parametrize("streaming", ["live", "buffered", "wrapped", "string"])
@pytest.mark.parametrize("model", ["grok-4.7", "grok-4.3", "grok-4.20-0309-non-reasoning"])
async def test_four_methods_give_the_same_message(
    gateway: Any, chat: Chat, envelope: str, streaming: str, model: str
) -> None:
    """Invoke, stream and their async variants give the same message, in each envelope."""
    gateway.envelope, gateway.streaming = envelope, streaming
    llm = chat(model=model)
    messages = [
        llm.invoke("What is 2 and 3?"),
        merged(list(llm.stream("What is 2 and 3?"))),
        await llm.ainvoke("What is 2 and 3?"),
        merged([chunk async for chunk in llm.astream("What is 2 and 3?")]),
    ]
    metadata = [facts(message) for message in messages]
    assert metadata[0]["text"]
    assert metadata[0]["usage"]["total_tokens"] > 0
    assert metadata[1:] == metadata[:1] * 3


def test_usage_has_all_details(chat: Chat) -> None:
    """Output tokens include reasoning, the sums are right, and details are reported."""
    usage = chat(model="grok-4.7").invoke("Hello").usage_metadata
    assert usage is not None
    assert usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"]
    assert 0 < usage["output_token_details"]["reasoning"] < usage["output_tokens"]
    assert usage["input_token_details"]["cache_read"] <= usage["input_tokens"]


def test_a_conversation_with_a_tool(gateway: Any, chat: Chat) -> None:
    """A tool call and its result are sent back in the default API, with reasoning."""

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    llm = chat(model="grok-4.3").bind_tools([add])
    messages: list[Any] = [HumanMessage("Use add for 2 and 3.")]
    call = llm.invoke(messages)
    assert call.tool_calls[0]["name"] == "add"
    assert call.response_metadata["finish_reason"] == "tool_calls"
    messages += [call, ToolMessage("5", tool_call_id=call.tool_calls[0]["id"])]
    assert "5" in llm.invoke(messages).text
    _, reasoning, sent_call, result = gateway.requests[-1].body["input"]
    assert reasoning["type"] == "reasoning"
    assert reasoning["encrypted_content"]
    assert sent_call["call_id"] == result["call_id"] == call.tool_calls[0]["id"]
    assert result["output"] == "5"


def test_a_conversation_with_a_tool_over_chat_completions(gateway: Any, chat: Chat) -> None:
    """In Chat Completions reasoning is sent back, and no content is null."""

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    llm = chat(model="grok-4.3", api="chat_completions").bind_tools([add])
    messages: list[Any] = [HumanMessage("Use add for 2 and 3.")]
    call = llm.invoke(messages)
    messages += [call, ToolMessage("5", tool_call_id=call.tool_calls[0]["id"])]
    assert "5" in llm.invoke(messages).text
    sent = gateway.requests[-1].body["messages"]
    assert all(message["content"] is not None for message in sent)
    assert sent[1]["reasoning_content"] == call.additional_kwargs["reasoning_content"]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, None),
        ("auto", "auto"),
        ("none", "none"),
        ("any", "required"),
        ("required", "required"),
        (True, "required"),
        ("add", {"type": "function", "name": "add"}),
        ({"type": "function", "function": {"name": "add"}}, {"type": "function", "name": "add"}),
        ({"type": "tool", "name": "add"}, {"type": "function", "name": "add"}),
        ({"type": "any"}, "required"),
    ],
)
def test_each_tool_choice_is_sent(gateway: Any, chat: Chat, choice: Any, sent: Any) -> None:
    """Each form of tool_choice is sent in the format of the API."""

    def add(a: int) -> int:
        """Add one."""
        return a + 1

    chat().bind_tools([add], tool_choice=choice).invoke("Use add for 3.")
    assert gateway.requests[-1].body.get("tool_choice") == sent
    nested = {"type": "function", "function": {"name": "add"}}
    chat(api="chat_completions").bind_tools([add], tool_choice=choice).invoke("Use add for 3.")
    body = gateway.requests[-1].body
    assert body.get("tool_choice") == (nested if isinstance(sent, dict) else sent)


def test_options_of_bind_tools_are_sent(gateway: Any, chat: Chat) -> None:
    """Options of bind_tools are sent by the names of the API."""
    schema = {"title": "Sum of it", "type": "object", "properties": {"sum": {"type": "integer"}}}

    def add(a: int) -> int:
        """Add one."""
        return a + 1

    chat().bind_tools([add], parallel_tool_calls=False, response_format=schema).invoke("Hello")
    body = gateway.requests[-1].body
    assert body["parallel_tool_calls"] is False
    assert body["text"]["format"]["name"] == "Sum_of_it"
    assert body["tools"][0]["name"] == "add"


@pytest.mark.parametrize("given", [["wrote"], "wrote"])
@pytest.mark.parametrize("in_call", [True, False])
def test_stop_works_with_reasoning_models(
    gateway: Any, chat: Chat, given: Any, *, in_call: bool
) -> None:
    """Stop sequences truncate the text of a model that rejects them, in invoke and stream."""
    llm = chat(model="grok-4.7", **({} if in_call else {"stop": given}))
    options = {"stop": [given] if isinstance(given, str) else given} if in_call else {}
    plain = llm.invoke("Hello", **options)
    streamed = merged(list(llm.stream("Hello", **options)))
    assert plain.text == streamed.text == "Hello! You "
    assert plain.response_metadata["finish_reason"] == "stop"
    assert all("stop" not in request.body for request in gateway.requests)


def test_options_of_a_call_precede_model_kwargs_and_fields(gateway: Any, chat: Chat) -> None:
    """An option of the call precedes that of model_kwargs, which precedes the field."""
    llm = chat(temperature=0.1, top_p=0.1, seed=1, model_kwargs={"top_p": 0.2, "seed": 2})
    llm.invoke("Hello", seed=3, max_completion_tokens=50, extra_body={"made_up": True})
    body = gateway.requests[-1].body
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.1, 0.2, 3)
    assert (body["max_output_tokens"], body["made_up"]) == (50, True)


def test_unset_options_are_not_sent(gateway: Any, chat: Chat) -> None:
    """A model without options sends only the messages and `store=False`."""
    chat().invoke("Hello")
    assert gateway.requests[-1].body.keys() == {"model", "input", "store", "include"}
    chat(api="chat_completions").invoke("Hello")
    assert gateway.requests[-1].body.keys() == {"model", "messages"}


def test_unknown_arguments_become_model_kwargs_with_a_warning(gateway: Any, chat: Chat) -> None:
    """An unknown argument is sent in the body, with a warning."""
    with pytest.warns(UserWarning, match="future_option"):
        llm = chat(future_option=1)
    assert llm.model_kwargs == {"future_option": 1}
    llm.invoke("Hello")
    assert gateway.requests[-1].body["future_option"] == 1


def test_rejected_penalties_are_omitted_with_one_warning(gateway: Any, chat: Chat) -> None:
    """A penalty is omitted for a reasoning model, with one warning, and sent to other models."""
    llm = chat(presence_penalty=0.5)
    with pytest.warns(UserWarning, match="presence_penalty: not supported by grok-4.7"):
        llm.invoke("Hello")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        llm.invoke("Hello")
        llm.invoke("Hello", model="grok-4.20-0309-non-reasoning")
    sent = [request.body.get("presence_penalty") for request in gateway.requests]
    assert sent == [None, None, 0.5]


def test_several_choices(chat: Chat) -> None:
    """With ``n`` there are ``n`` generations with ids of their own, and usage is counted once."""
    result = chat(n=3).generate([[HumanMessage("Hello")]])
    messages = [generation.message for generation in result.generations[0]]
    assert len(messages) == len({message.id for message in messages}) == 3
    assert [getattr(message, "usage_metadata", None) is None for message in messages] == [
        False,
        True,
        True,
    ]
    with pytest.raises(UsageError, match="n: only 1 is supported when streaming"):
        list(chat(n=3).stream("Hello"))


def test_logprobs_are_in_response_metadata(chat: Chat) -> None:
    """Log probabilities are in response_metadata, plain and streamed."""
    llm = chat(model="grok-3", logprobs=True, top_logprobs=2)
    plain = llm.invoke("Hello").response_metadata["logprobs"]["content"]
    streamed = merged(list(llm.stream("Hello"))).response_metadata["logprobs"]["content"]
    assert plain
    assert streamed == plain


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"api_token": "xai-0123456789abcdef"}, "api_token"),
        ({"api_token": "at_with a space"}, "api_token"),
        ({"api_token": "at_with\x00control"}, "api_token"),
        ({"base_url": "ftp://gateway.example"}, "base_url"),
        ({"base_url": "https://gateway.example/xai?api_token=at_r1"}, "base_url"),
        ({"base_url": "http://gateway.example/xai"}, "base_url"),
    ],
)
def test_invalid_settings_are_rejected_by_the_constructor(
    gateway: Any, chat: Chat, fields: dict[str, Any], field: str
) -> None:
    """An invalid token or base URL is rejected, and not in the error."""
    with pytest.raises(UsageError) as caught:
        chat(**fields)
    assert caught.value.field == field
    assert str(fields.get("api_token", "?!")) not in str(caught.value)
    assert gateway.requests == []


def test_a_missing_token_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token the error names the argument, the variable and the page to get one."""
    monkeypatch.delenv("LOWCODEAPI_API_TOKEN", raising=False)
    with pytest.raises(UsageError, match=r"api_token.*LOWCODEAPI_API_TOKEN.*lowcodeapi\.com"):
        ChatXAILowCode()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"model": " "}, "model"),
        ({"stop": [""]}, "stop"),
        ({"tool_choice": "nope"}, "tool_choice"),
        ({"tools": [{"type": "function", "function": {"description": "no name"}}]}, "tools"),
        ({"tools": [{"type": "web_search"}], "api": "chat_completions"}, "server_tools"),
        ({"use_previous_response_id": True, "api": "messages"}, "use_previous_response_id"),
        ({"reasoning": "high"}, "reasoning"),
        ({"reasoning": {"depth": 3}}, "reasoning"),
        ({"include": "reasoning.encrypted_content"}, "include"),
        ({"api": "telepathy"}, "api"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"extra_body": {"made_up": float("inf")}}, "made_up"),
        ({"extra_body": {"made_up": {"deep": [b"bytes"]}}}, "made_up.deep[0]"),
    ],
)
def test_invalid_options_are_rejected_before_a_request(
    gateway: Any, chat: Chat, options: dict[str, Any], field: str
) -> None:
    """The error names the invalid option; no request is sent."""
    with pytest.raises(UsageError) as caught:
        chat().invoke("Hello", **options)
    assert caught.value.field == field
    assert gateway.requests == []


def test_no_repr_or_dump_has_the_token(gateway: Any, chat: Chat) -> None:
    """Reprs, dumps and tracing parameters have no token; pickles do, and work."""
    llm = chat()
    shown = [repr(llm), str(llm), llm.model_dump_json(), str(llm.model_dump())]
    shown += [str(llm._identifying_params), str(llm._get_ls_params()), str(vars(llm))]
    assert not [text for text in shown if gateway.api_token in text]
    for copied in (pickle.loads(pickle.dumps(llm)), copy.deepcopy(llm), llm.model_copy()):  # noqa: S301
        assert copied.invoke("Hello").text


def _invoke_in_worker(llm: ChatXAILowCode) -> str:
    return llm.invoke("Hello").text


def test_a_used_model_works_in_a_worker_process(chat: Chat) -> None:
    """A used model can be pickled into another process."""
    llm = chat()
    text = llm.invoke("Hello").text
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_invoke_in_worker, (llm,)) == text


def test_profile_and_parameters(chat: Chat) -> None:
    """The profile and tracing parameters depend on the model, which a call may override."""
    llm = chat(model="grok-4.7", temperature=0.5, stop="END")
    assert llm.profile is not None
    assert llm.profile["max_input_tokens"] == 500_000
    assert llm.profile["structured_output"] is True
    params = llm._get_ls_params(model="grok-4.6")
    assert params["ls_provider"] == "xai-lowcode"
    assert params["ls_model_name"] == "grok-4.6"
    assert params["ls_stop"] == ["END"]


# Keys of LangChain's profile that have no value for a model, because xAI does not publish it.
UNPUBLISHED = {"last_updated"}
UNKNOWN_OF_NEW_MODELS = UNPUBLISHED | {"release_date", "max_output_tokens"}
UNKNOWN_OF_FLOATING_NAMES = UNKNOWN_OF_NEW_MODELS | {"name", "status"}


@for_each(
    ("model", "missing"),
    [
        ("grok-4.3", UNPUBLISHED),
        ("grok-4.5", UNPUBLISHED),
        ("grok-4-0709", UNPUBLISHED),
        ("grok-build-0.1", UNPUBLISHED | {"reasoning_effort_default"}),
        ("grok-4.7", UNKNOWN_OF_NEW_MODELS),
        ("grok-4.6", UNKNOWN_OF_NEW_MODELS | {"reasoning_effort_default"}),
        ("grok-latest", UNKNOWN_OF_FLOATING_NAMES),
        ("grok-5", UNKNOWN_OF_FLOATING_NAMES),
        ("another", UNKNOWN_OF_FLOATING_NAMES | {"reasoning_effort_default"}),
    ],
)
def test_a_profile_has_each_known_key(chat: Chat, model: str, missing: set[str]) -> None:
    """All keys of LangChain's profile are set, except those that xAI does not publish."""
    profile = chat(model=model).profile or {}
    assert profile.keys() == ModelProfile.__annotations__.keys() - missing
    names = [
        "name",
        "status",
        "release_date",
        "max_output_tokens",
        "reasoning_effort_levels",
        "reasoning_effort_default",
    ]
    values = [profile.get(name) for name in names]
    efforts = ["none", "low", "medium", "high"]
    if model == "grok-4.3":
        assert values == ["Grok 4.3", "active", "2026-04-17", 30_000, efforts, "low"]
    if model == "grok-4-0709":
        assert values == ["Grok 4.3", "deprecated", "2026-04-17", 30_000, efforts, "low"]


@for_each("api", ["auto", "responses", "chat_completions", "messages"])
def test_a_profile_depends_on_the_api(chat: Chat, api: Any) -> None:
    """The profile claims documents and later system messages only where the API has them."""
    profile = chat(api=api).profile or {}
    document = {"type": "file", "base64": "JVBERi0=", "mime_type": "application/pdf"}
    result = ToolMessage([document], tool_call_id="call_1")
    call = AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "call_1"}])
    question = HumanMessage("Hello")
    for key, messages in (
        ("pdf_inputs", [HumanMessage([document])]),
        ("pdf_tool_message", [question, call, result]),
    ):
        accepted = True
        with warnings.catch_warnings():
            # A note is sent instead of a document in a tool result, with a warning.
            warnings.simplefilter("error")
            try:
                chat(api=api).invoke(messages)
            except (UsageError, UserWarning):
                accepted = False
        assert profile[key] is accepted, key
    if "mid_conversation_system_messages" in ModelProfile.__annotations__:
        assert profile["mid_conversation_system_messages"] is (api != "messages")


@pytest.mark.parametrize("pending", ["empty", "empty_json", "null", "status_202"])
async def test_deferred_completions(gateway: Any, chat: Chat, pending: str) -> None:
    """A deferred completion gives the same message, by field or by call, for any pending body."""
    gateway.deferred_pending, gateway.deferred_polls = pending, 2
    polls_seen: list[int] = []
    deferral = PollingOptions(
        initial_delay=0.01, progress=lambda polls, _: polls_seen.append(polls)
    )
    expected = facts(chat(model="grok-4.3").invoke("Hello"))
    by_field = chat(model="grok-4.3", deferred=deferral)
    messages = [
        by_field.invoke("Hello"),
        await by_field.ainvoke("Hello"),
        chat(model="grok-4.3").invoke("Hello", deferred=deferral),
        *by_field.stream("Hello"),
    ]
    assert [facts(message) for message in messages] == [expected] * 4
    assert polls_seen == [0, 1, 2] * 4


def test_invalid_deferred_options_are_rejected(gateway: Any, chat: Chat) -> None:
    """Streaming with `deferred`, and an invalid value of it, are rejected before a request."""
    with pytest.raises(UsageError, match="deferred: not supported when streaming"):
        list(chat().stream("Hello", deferred=True))
    with pytest.raises(UsageError, match="deferred"):
        chat(deferred="later")
    assert gateway.requests == []


@pytest.mark.parametrize("api", ["responses", "chat_completions", "messages"])
def test_nan_in_arguments_is_sent_back_as_null(gateway: Any, chat: Chat, api: str) -> None:
    """The next request is valid JSON, also with NaN in the arguments of a tool call."""
    call = {"name": "f", "args": {"a": float("nan"), "b": [float("inf"), 1]}, "id": "call_1"}
    answer = AIMessage("", tool_calls=[call])
    chat(api=api).invoke([HumanMessage("Hi"), answer, ToolMessage("5", tool_call_id="call_1")])
    sent = json.dumps(gateway.requests[-1].body)
    assert "NaN" not in sent
    assert "null" in sent
