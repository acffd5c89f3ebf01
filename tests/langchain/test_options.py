"""Fields and options: aliases, precedence, and keys of the request body."""

import warnings
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.rate_limiters import InMemoryRateLimiter

from langchain_xai_lowcode import ChatXAILowCode, mcp, web_search
from langchain_xai_lowcode.chat_models import _OPTION_FIELDS
from tests.cases import for_each
from xai_lowcode import PollingOptions
from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import OPTIONS

Chat = Callable[..., ChatXAILowCode]

# An option, and its keys in Chat Completions and in Responses; None if it is not supported.
SENT: list[tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any] | None]] = [
    ({"temperature": 0.5}, {"temperature": 0.5}, {"temperature": 0.5}),
    ({"top_p": 0.5}, {"top_p": 0.5}, {"top_p": 0.5}),
    ({"max_tokens": 50}, {"max_completion_tokens": 50}, {"max_output_tokens": 50}),
    ({"max_completion_tokens": 50}, {"max_completion_tokens": 50}, {"max_output_tokens": 50}),
    ({"seed": 7}, {"seed": 7}, {"seed": 7}),
    ({"n": 2}, {"n": 2}, None),
    ({"logprobs": True, "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}, None),
    ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
    (
        {"reasoning": {"effort": "low"}},
        {"reasoning_effort": "low"},
        {"reasoning": {"effort": "low"}},
    ),
    ({"reasoning": {"summary": "auto"}}, None, {"reasoning": {"summary": "auto"}}),
    ({"user": "u1"}, {"user": "u1"}, {"user": "u1"}),
    ({"service_tier": "priority"}, {"service_tier": "priority"}, {"service_tier": "priority"}),
    ({"prompt_cache_key": "k"}, None, {"prompt_cache_key": "k"}),
    ({"store": True}, None, {"store": True, "include": None}),
    ({"store": False}, None, {}),
    ({"include": ["reasoning.encrypted_content"]}, None, {}),
    ({"use_encrypted_content": False}, None, {"include": None}),
    ({"max_turns": 3}, None, {"max_turns": 3}),
    ({"top_k": 3, "min_p": 0.5}, None, {"top_k": 3, "min_p": 0.5}),
    ({"safety_identifier": "s"}, {"safety_identifier": "s"}, {"safety_identifier": "s"}),
    ({"guidelines": "g"}, None, {"guidelines": "g"}),
    (
        {"no_inline_citations": True},
        None,
        {"include": ["reasoning.encrypted_content", "no_inline_citations"]},
    ),
    ({"extra_body": {"made_up": 1}}, {"made_up": 1}, {"made_up": 1}),
    ({"model_kwargs": {"made_up": 1}}, {"made_up": 1}, {"made_up": 1}),
    ({"model_kwargs": {"top_p": 0.5}}, {"top_p": 0.5}, {"top_p": 0.5}),
]


@pytest.mark.parametrize("in_call", [False, True])
@pytest.mark.parametrize(("options", "chat_keys", "responses_keys"), SENT)
def test_each_option_is_sent(
    gateway: Any,
    chat: Chat,
    options: dict[str, Any],
    chat_keys: dict[str, Any] | None,
    responses_keys: dict[str, Any] | None,
    *,
    in_call: bool,
) -> None:
    """An option is sent by the name of the API, as a field and in a call."""
    given = options if in_call else {}
    fields = {} if in_call else options
    for api, members in (("chat_completions", chat_keys), ("responses", responses_keys)):
        if members is None:
            continue
        chat(model="grok-4.3", api=api, **fields).invoke("Hello", **given)
        body = dict(gateway.requests[-1].body)
        assert body.pop("messages", None) or body.pop("input")
        defaults = {"store": False, "include": ["reasoning.encrypted_content"]}
        expected = {**(defaults if api == "responses" else {}), **members, "model": "grok-4.3"}
        assert body == {name: value for name, value in expected.items() if value is not None}


def test_each_request_option_is_a_field_or_a_call_option() -> None:
    """Each option of the core is a field of the model or an option of a call."""
    of_calls = {
        *("tools", "server_tools", "tool_choice", "parallel_tool_calls", "response_format"),
        *("previous_response_id", "reasoning_summary"),
    }
    assert OPTIONS - of_calls == ChatXAILowCode.model_fields.keys() & OPTIONS
    assert set(_OPTION_FIELDS) >= (OPTIONS - of_calls) - {"stop", "deferred"}


@for_each(
    ("given", "field", "value"),
    [
        ({"model_name": "grok-4.6"}, "model", "grok-4.6"),
        ({"max_completion_tokens": 9}, "max_tokens", 9),
        ({"stop_sequences": ["x"]}, "stop", ["x"]),
        ({"request_timeout": 9.0}, "timeout", 9.0),
        ({"use_responses_api": True}, "api", "responses"),
        ({"use_responses_api": False}, "api", "chat_completions"),
        ({"use_responses_api": None}, "api", "auto"),
        ({"use_responses_api": True, "api": "messages"}, "api", "messages"),
    ],
)
def test_names_of_other_integrations_are_accepted(
    chat: Chat, given: dict[str, Any], field: str, value: Any
) -> None:
    """The names of other chat models' fields are aliases."""
    assert getattr(chat(**given), field) == value


@for_each(
    "given",
    [
        {"xai_api_key": "xai-0123456789abcdef"},
        {"openai_api_key": "sk-0123456789abcdef"},
        {"default_query": {"api_token": "at_r" + "0" * 32}},
        {"default_headers": {"x-grok-conv-id": "1"}},
        {"xai_api_base": "https://api.x.ai/v1"},
    ],
)
def test_arguments_of_other_clients_are_rejected(chat: Chat, given: dict[str, Any]) -> None:
    """API keys and base URLs of other clients raise, so that no body or dump has them."""
    (name,) = given
    with pytest.raises(UsageError) as caught:
        chat(**given)
    assert caught.value.field == name
    assert "0123456789abcdef" not in f"{caught.value!r}"
    assert "0" * 32 not in f"{caught.value!r}"


def test_options_of_a_call_precede_model_kwargs_and_fields(gateway: Any, chat: Chat) -> None:
    """Options of the call precede model_kwargs, which precede fields, by any of their names."""
    llm = chat(
        model="grok-4.3",
        max_tokens=1000,
        reasoning={"effort": "high"},
        model_kwargs={"max_completion_tokens": 900},
    )
    llm.invoke("Hello")
    llm.invoke("Hello", max_tokens=800, reasoning_effort="low")
    bodies = [request.body for request in gateway.requests]
    assert [body["max_output_tokens"] for body in bodies] == [900, 800]
    assert [body["reasoning"] for body in bodies] == [{"effort": "high"}, {"effort": "low"}]


@pytest.mark.parametrize(
    ("options", "endpoint"),
    [
        ({}, "responses"),
        ({"n": 2}, "chat/completions"),
        ({"deferred": PollingOptions(initial_delay=0.01)}, "chat/completions"),
        ({"api": "chat_completions"}, "chat/completions"),
        ({"api": "responses"}, "responses"),
        ({"api": "messages"}, "messages"),
        ({"store": True}, "responses"),
        ({"include": []}, "responses"),
        ({"include": ["reasoning.encrypted_content"]}, "responses"),
        ({"max_turns": 2}, "responses"),
        ({"reasoning": {"summary": "auto"}}, "responses"),
        ({"use_previous_response_id": True}, "responses"),
    ],
)
def test_the_api_is_selected_by_the_options(
    gateway: Any, chat: Chat, options: dict[str, Any], endpoint: str
) -> None:
    """Chat Completions is selected for options that only it supports, unless `api` is set."""
    chat(**options).invoke("Hello")
    chat().invoke("Hello", **options)
    posts = [request for request in gateway.requests if request.method == "POST"]
    assert {request.path.rpartition("/v1/")[2] for request in posts} == {endpoint}


# --- server-side tools ---------------------------------------------------------------------------


def test_server_side_tools_are_bound_as_json(gateway: Any, chat: Chat) -> None:
    """A `ServerTool` and its JSON are bound equally, with the caller's own tools."""

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    for tool in (
        web_search(allowed_domains=["x.ai"]),
        {"type": "web_search", "allowed_domains": ["x.ai"]},
    ):
        bound: Any = chat().bind_tools([tool, add], tool_choice="auto")
        plain, function = bound.kwargs["tools"]
        assert plain == {"type": "web_search", "allowed_domains": ["x.ai"]}
        assert function["function"]["name"] == "add"
        bound.invoke("Hello")
        sent = gateway.requests[-1].body["tools"]
        assert [tool["type"] for tool in sent] == ["function", "web_search"]
        chat().invoke("Hello", tools=[tool])
        chat().invoke("Hello", server_tools=[tool])
        assert [r.body["tools"] for r in gateway.requests[-2:]] == [[plain], [plain]]
    anthropics = {"type": "custom", "name": "find", "input_schema": {"type": "object"}}
    function = chat().bind_tools([anthropics]).kwargs["tools"][0]  # type: ignore[attr-defined] # a RunnableBinding
    assert function["type"] == "function"


def test_mcp_credentials_are_sent_and_not_shown(gateway: Any, chat: Chat) -> None:
    """Credentials of an MCP server are sent; the ``repr`` of the binding hides them but differs."""
    keys = ("a-key-of-the-museum", "another-key")
    text = set()
    for key in keys:
        tool = mcp("https://mcp.example", "museum", authorization=key, headers={"x-key": key})
        llm = chat().bind_tools([tool])
        llm.invoke("Hello")
        sent = gateway.requests[-1].body["tools"][0]
        assert (sent["authorization"], sent["headers"]) == (key, {"x-key": key})
        text.add(repr(llm))
        assert f"**{sha256(key.encode()).hexdigest()[:8]}'" in repr(llm)
    assert len(text) == 2
    assert not [key for key in keys if key in "".join(text)]


def test_other_mcp_credentials_share_no_cached_response(gateway: Any, chat: Chat) -> None:
    """A cached response is for the same MCP credentials only, though its key does not have them."""
    llm = chat(cache=InMemoryCache())
    for key in ("a-key", "another-key", "a-key"):
        tool = mcp("https://mcp.example", "museum", authorization=key)
        assert llm.bind_tools([tool]).invoke("Hello").text
    assert [r.body["tools"][0]["authorization"] for r in gateway.requests] == [
        "a-key",
        "another-key",
    ]


# --- fields of LangChain's base class ------------------------------------------------------------


def test_a_rate_limiter_is_used(gateway: Any, chat: Chat) -> None:
    """A limiter that allows one request delays the second one."""
    limiter = InMemoryRateLimiter(requests_per_second=0.001, check_every_n_seconds=0.01)
    limiter.available_tokens = 1
    llm = chat(rate_limiter=limiter)
    assert llm.invoke("Hello").text
    assert not limiter.acquire(blocking=False)
    assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    ("fields", "streams"),
    [
        ({}, True),
        ({"disable_streaming": True}, False),
        ({"disable_streaming": "tool_calling"}, True),
        ({"streaming": False}, False),
        ({"deferred": True}, False),
    ],
)
def test_streaming_can_be_disabled(
    gateway: Any, chat: Chat, fields: dict[str, Any], *, streams: bool
) -> None:
    """With streaming disabled, stream gives the whole message as one chunk."""
    gateway.deferred_polls = 0
    chunks = list(chat(**fields).stream("Hello"))
    assert (gateway.requests[0].body.get("stream") is True) is streams
    assert (len(chunks) > 2) is streams


def test_streaming_makes_invoke_stream(gateway: Any, chat: Chat) -> None:
    """With streaming=True callbacks get the tokens of an invoke."""

    class TokenRecorder(BaseCallbackHandler):
        def __init__(self) -> None:
            self.tokens: list[str] = []

        def on_llm_new_token(self, token: str, **_: Any) -> None:
            self.tokens.append(token)

    recorder = TokenRecorder()
    answer = chat(streaming=True).invoke("Hello", config={"callbacks": [recorder]})
    assert gateway.requests[-1].body["stream"] is True
    assert len(recorder.tokens) > 2
    assert "".join(recorder.tokens) == answer.text


def test_a_tool_of_openai_has_no_options_that_xai_rejects(chat: Chat, gateway: Any) -> None:
    """A dict of OpenAI's is sent as xAI accepts it, with one warning for what is left out."""
    tool = {
        "type": "web_search",
        "search_context_size": "low",
        "filters": {"allowed_domains": ["x.ai"]},
    }
    sent = {"type": "web_search", "allowed_domains": ["x.ai"]}
    llm = chat()
    calls: list[Callable[[], Any]] = [
        lambda: llm.bind_tools([tool]).invoke("Hello"),
        lambda: list(llm.stream("Hello", tools=[tool])),
        lambda: llm.invoke("Hello", server_tools=[tool]),
    ]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for call in calls:
            call()
            assert gateway.requests[-1].body["tools"] == [sent]
    expected = "search_context_size: not supported by web_search; it is not sent."
    assert [str(warning.message) for warning in warned] == [expected]
