"""Options that are credentials are rejected before they are sent, and no other options are.

Rules recognize names and values. They are tested with lists of both, and with xAI's OpenAPI
specification.
"""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes, SecretStr

from tests.cases import for_each
from tests.core import leaks
from tests.core.clients import AsyncGatewayClient, SyncGatewayClient, server_settings
from tests.core.fake_server import TOKEN, FakeServer
from xai_lowcode._internal.credentials import (
    NAME_OPTIONS,
    credential_error,
    is_credential_name,
    token_error,
)
from xai_lowcode.api.embeddings import EmbeddingRequest
from xai_lowcode.errors import UsageError
from xai_lowcode.types.images import ImageRequest
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import OPTIONS, ChatRequest

OPENAPI = Path(__file__).parents[3] / "shared" / "wire" / "openapi.json"
HELLO = (Message("user", (TextPart("Hello"),)),)

CREDENTIAL_NAMES = """
token api_token access_token auth_token lowcodeapi_api_token refresh_token id_token token_value
bearer_token x_api_token apiToken accessToken APIToken apitoken token2 api_token_2
key api_key apikey apiKey APIKey xai_api_key openai_api_key XAI_API_KEY x-api-key api_key_header
xaiApiKey secret_key my_key_value private_key api_keys access_keys access_tokens apiKeys
secret client_secret secretName auth basic_auth authScheme authorization Authorization
proxy-authorization password db_password passwd passphrase credential credentials
gcp_credentials header headers extra_headers extraHeaders default_headers HTTPHeaders
response_headers bearer cookie cookies session_cookie jwt OAuthToken
"""
OTHER_NAMES = """
max_tokens max_completion_tokens max_output_tokens max_tokens_to_sample num_tokens min_tokens
prompt_tokens completion_tokens prompt_cache_key promptCacheKey cache_key idempotency_key sort_key
stop_token_ids stopTokenIds token_ids allowed_token_ids eos_token eos_token_id stop_token
return_tokens_as_token_ids skip_special_tokens max_token_length thinking_token_budget token_count
tokens tokenizer tokenize detokenize tokenization keys keywords keyboard keypoints monkey hockey
author authors authority authored secretary passwordless headline headless cookiecutter bearing
logprobs top_logprobs logit_bias metadata user seed temperature search_parameters stream_options
made_up future_option verbosity x 名前 _ 5
"""

REQUESTS: dict[Any, dict[str, Any]] = {
    ChatRequest: {"model": "grok-4.7", "messages": HELLO},
    ImageRequest: {"prompt": "A fox"},
    EmbeddingRequest: {"texts": ["x"]},
}
# Fields of these requests that contain text, tools, schemas or other options.
UNCHECKED = {
    *("messages", "stop", "prompt", "texts", "tools", "server_tools", "tool_choice"),
    *("response_format", "extra"),
}

# Values that are credentials, and values that are not.
CREDENTIAL_VALUES = [
    TOKEN,
    f" {TOKEN}\n",
    "at_" + "k" * 24,
    "at_r0123456789abcdef0123456789abcdef_suffix",
    "at_-canary-of=the&mine",
    "xai-0123456789abcdef",
    "xai-" + "A" * 80,
    f"Bearer {TOKEN}",
    "bearer abc",
    "BEARER  abc.def-ghi",
    "Authorization: Bearer abc",
    "http://user:password@proxy.example:3128",
    f"https://api.lowcodeapi.com/xai/v1/models?api_token={TOKEN}",
    "The key is xai-" + "a1" * 20 + ", keep it.",
    f"Use {TOKEN} for it.",
    TOKEN.encode(),
    bytearray(b"Bearer abc"),
    SecretStr("anything"),
    SecretBytes(b"anything"),
]
OTHER_VALUES = [
    "",
    "at_",
    "at_least_once",
    "at_most_once",
    "at_home",
    "look at_this_long_name_of_a_function",
    "xai-lowcode",
    "xai-lowcode-docs",
    "xai-org",
    "grok-4.7",
    "Bearer",
    "bearer of bad news",
    "Send 'Authorization: Bearer <your key>' with each request.",
    "https://user@example.org/a:b@c",
    "https://example.org:8080/@user",
    "data:image/png;base64,iVBORw0KGgo=",
    "beat_0123456789abcdef0123",
    b"\xff\xfe",
    5,
    2.5,
    True,
    None,
    {},
    [],
    object(),
]


def nest(value: Any) -> Iterator[Any]:
    """Yield a value alone and in containers."""
    yield value
    yield [1, value]
    yield {"a": {"b": [{"c": (value,)}]}}
    if isinstance(value, str):
        yield {value: 1}
        yield {"a", value}


@for_each("value", [TOKEN, "sesame", None, 5, {"a": "b"}, True])
def test_credential_names_are_rejected(value: Any) -> None:
    """The name of a credential is rejected with any value; the field of the error is the name."""
    for name in CREDENTIAL_NAMES.split():
        error = credential_error({"temperature": 1, name: value})
        assert error is not None, name
        assert error.field == name
        assert error.message.startswith(f"{name}: ")
        assert "api_token" in str(error.hint), name
        assert ("headers" in str(error.hint)) is ("header" in name.lower()), name
        assert credential_error({name: value}, known={name}) is None, name


@for_each("name", sorted({*OTHER_NAMES.split(), *OPTIONS}))
def test_other_names_are_accepted(name: str) -> None:
    """Options about text tokens and cache keys, similar words, and xAI's options are accepted."""
    assert not is_credential_name(name)
    assert credential_error({name: "sesame"}) is None


@for_each("value", CREDENTIAL_VALUES)
def test_credential_values_are_rejected(value: Any) -> None:
    """A credential is rejected under any name, at any depth, and is in no part of the error."""
    for nested_value in nest(value):
        error = credential_error({"made_up": nested_value})
        assert error is not None, nested_value
        assert error.field == "made_up"
        plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        text = plain if isinstance(plain, str) else plain.decode()
        assert text.strip() not in leaks.render_exception(error, skip=())


@for_each("value", OTHER_VALUES)
def test_other_values_are_accepted(value: Any) -> None:
    """Values that resemble a credential are accepted."""
    for nested_value in nest(value):
        assert credential_error({"made_up": nested_value}) is None


def test_a_credential_as_a_name_is_redacted() -> None:
    """A name that is a credential is neither in the error nor in its field."""
    for value in (TOKEN, "xai-0123456789abcdef", "Bearer sesame", f"{TOKEN}_key"):
        error = credential_error({"made_up": 1, value: 1})
        assert error is not None
        assert error.field
        assert value not in leaks.render_exception(error, skip=())
        assert TOKEN not in f"{error} {error.field}"


@for_each(
    "container", ["extra_body", "model_kwargs", "additional_kwargs", "extra_query", "extraBody"]
)
def test_nested_options_are_checked(container: str) -> None:
    """An option in another option is checked like other options, and the error names it."""
    for options in (
        {container: {"api_key": "sesame"}},
        {container: {container: {"api_key": "sesame"}}},
    ):
        error = credential_error(options, known={"api_key"})
        assert error is not None
        assert error.field == "api_key"
    error = credential_error({container: {"made_up": TOKEN}})
    assert error is not None
    assert error.field == "made_up"
    assert credential_error({container: {"max_tokens": 5, "user": "u"}}) is None


def test_schemas_and_tools_are_not_checked() -> None:
    """A schema may describe a password, and an MCP server has its own authorization."""
    schema = {"type": "object", "properties": {"password": {"type": "string"}, "api_key": {}}}
    tool = {"type": "mcp", "authorization": "Bearer abc", "headers": {"x-api-key": TOKEN}}
    options = {
        "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
        "tools": [tool],
        "server_tools": [tool],
    }
    assert credential_error(options) is None
    assert credential_error({"extra_body": options}) is None


def test_circular_and_deep_containers() -> None:
    """Circular containers and those of any depth can be checked."""
    circular: dict[str, Any] = {"a": [1]}
    circular["extra_body"] = circular
    circular["a"] += [circular["a"], circular]
    assert credential_error(circular) is None
    deep: Any = TOKEN
    for _ in range(10_000):
        deep = [deep]
    assert credential_error({"made_up": deep}) is not None


@given(
    st.dictionaries(
        st.text(max_size=20) | st.integers(),
        st.recursive(
            st.none() | st.text(max_size=20) | st.binary(max_size=9),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner),
            max_leaves=6,
        ),
    )
)
def test_any_options_can_be_checked(options: Any) -> None:
    """Any names and values result in a `UsageError` or None."""
    assert isinstance(credential_error(options), UsageError | None)


@given(
    before=st.sampled_from(["", "my_", "x-", "the", "llm "]),
    name=st.sampled_from(["token", "api_key", "secret", "headers", "password", "authorization"]),
    after=st.sampled_from(["", "_", "_2", "Value", "-of-mine"]),
)
def test_the_words_of_a_credential_name_are_found_anywhere(
    before: str, name: str, after: str
) -> None:
    """Words are separated by characters that are not letters, or by capital letters."""
    text = f"{before}{name.capitalize() if before == 'the' else name}{after}"
    assert is_credential_name(text)


def sample(schema: Any, schemas: dict[str, Any], depth: int = 8) -> Any:
    """Return a value with all properties of a schema and of its variants, up to a depth."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    result: dict[str, Any] = {}
    if depth:
        for keyword in ("oneOf", "anyOf", "allOf"):
            for variant in schema.get(keyword, ()):
                value = sample(variant, schemas, depth - 1)
                result |= value if isinstance(value, dict) else {}
        for name, value in schema.get("properties", {}).items():
            result[name] = sample(value, schemas, depth - 1)
        if "items" in schema:
            return [sample(schema["items"], schemas, depth - 1)]
    return result or "sesame"


@pytest.mark.skipif(not OPENAPI.is_file(), reason="xAI's specification is missing")
def test_options_of_xais_specification_are_accepted() -> None:
    """No property of any request body in xAI's specification, at any depth, is rejected."""
    document = json.loads(OPENAPI.read_text())
    schemas = document["components"]["schemas"]
    names: set[str] = set()
    for path in document["paths"].values():
        for operation in path.values():
            content = operation.get("requestBody", {}) if isinstance(operation, dict) else {}
            for media in content.get("content", {}).values():
                body = sample(media["schema"], schemas)
                if isinstance(body, dict):
                    names |= body.keys()
                    assert credential_error(body) is None
                    assert credential_error({"extra_body": body}) is None
    assert {"max_tokens", "prompt_cache_key", "max_output_tokens", "messages", "tools"} <= names
    assert not [name for name in names if is_credential_name(name)]


# --- requests and methods that check for credentials --------------------------------------------


@for_each("name", ["token", "apiKey", "extra_headers", "made_up"])
def test_unknown_options_of_a_request_are_checked(name: str) -> None:
    """A credential in ``extra``, which has the unknown options, raises an error."""
    with pytest.raises(UsageError) as raised:
        ChatRequest(model="grok-4.7", messages=HELLO, extra={name: TOKEN})
    assert raised.value.field == name
    assert TOKEN not in f"{raised.value} {raised.value!r} {vars(raised.value)}"


@for_each("name", sorted(NAME_OPTIONS))
def test_a_token_in_a_named_option_is_rejected(name: str) -> None:
    """A token as the value of an option that is a name or an id raises an error."""
    for value in (TOKEN, f" {TOKEN}\n", "at_" + "k" * 24, f"Bearer {TOKEN}", [TOKEN], {"a": TOKEN}):
        for request_class, required in REQUESTS.items():
            if name not in {field.name for field in fields(request_class)}:
                continue
            with pytest.raises(UsageError) as raised:
                request_class(**{**required, name: value})
            assert raised.value.field == name
            assert TOKEN not in f"{raised.value} {raised.value!r} {vars(raised.value)}"
    assert credential_error({name: TOKEN}, known={name}) is not None
    assert token_error({name: "xai-docs-v2"}) is None
    assert token_error({name: "at_least_once"}) is None
    assert token_error({name: TOKEN}, known=()) is None


def test_each_field_of_a_request_is_checked_or_listed() -> None:
    """A field that is neither a number nor a boolean is checked, or listed as unchecked."""
    numbers = {int, float, bool, type(None)}
    others = {
        field.name
        for request_class in REQUESTS
        for field in fields(request_class)
        if not {*(get_args(field.type) or (field.type,))} <= numbers
    }
    assert others - NAME_OPTIONS == UNCHECKED


def test_text_fields_of_a_request_are_not_checked() -> None:
    """A stop sequence and a prompt may contain a token, and are unchanged."""
    assert ChatRequest(model="grok-4.7", messages=HELLO, stop=(TOKEN,)).stop == (TOKEN,)
    assert ImageRequest(prompt=TOKEN).prompt == TOKEN
    assert EmbeddingRequest(texts=[TOKEN]).texts == [TOKEN]


@pytest.mark.parametrize("client_class", [SyncGatewayClient, AsyncGatewayClient])
def test_gateway_methods_reject_a_token(gateway: FakeServer, client_class: Any) -> None:
    """A token as a parameter of a method raises an error, and nothing is sent."""
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
        ("retrieve_model", (TOKEN,), {}, "model_id"),
        ("get_file", (TOKEN,), {}, "file_id"),
        ("tokenize", ("x",), {"model": TOKEN}, "model"),
        ("create_chat_completion", (), {"model": TOKEN, "messages": []}, "model"),
        ("create_chat_completion", (), {"model": "m", "messages": [], "user": TOKEN}, "user"),
    ]
    client = client_class(server_settings(gateway))
    for method, args, values, name in calls:
        with pytest.raises(UsageError) as raised:
            client.call_method(method, *args, **values)
        assert raised.value.field == name
        assert TOKEN not in f"{raised.value} {raised.value!r}"
    client.close()
    assert not gateway.requests
