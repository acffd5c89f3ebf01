"""Law: a token under a wrong name is refused before it is sent, and nothing that is none is.

A rule decides, no list of names; here it is held against both, and against what xAI itself takes.
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

BUILDERS: dict[Any, dict[str, Any]] = {
    ChatRequest: {"model": "grok-4.7", "messages": HELLO},
    ImageRequest: {"prompt": "A fox"},
    EmbeddingRequest: {"texts": ["x"]},
}
# Fields of these that hold text, tools, schemas or further options.
FREE = {
    *("messages", "stop", "prompt", "texts", "tools", "server_tools", "tool_choice"),
    *("response_format", "extra"),
}

# Values that are credentials, and such as are none.
CANARIES = [
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
HARMLESS = [
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


def nested(value: Any) -> Iterator[Any]:
    """A value as it is, and within containers."""
    yield value
    yield [1, value]
    yield {"a": {"b": [{"c": (value,)}]}}
    if isinstance(value, str):
        yield {value: 1}
        yield {"a", value}


@pytest.mark.parametrize("value", [TOKEN, "sesame", None, 5, {"a": "b"}, True])
def test_names_of_credentials_are_refused(value: Any) -> None:
    """Whatever the value is; the name is the error's field."""
    for name in CREDENTIAL_NAMES.split():
        error = credential_error({"temperature": 1, name: value})
        assert error is not None, name
        assert error.field == name
        assert error.message.startswith(f"{name}: ")
        assert "api_token" in str(error.hint), name
        assert ("headers" in str(error.hint)) is ("header" in name.lower()), name
        assert credential_error({name: value}, known={name}) is None, name


@for_each("name", sorted({*OTHER_NAMES.split(), *OPTIONS}))
def test_other_names_are_not(name: str) -> None:
    """Tokens of text, keys of caches, words that only begin alike, and all our own options."""
    assert not is_credential_name(name)
    assert credential_error({name: "sesame"}) is None


@pytest.mark.parametrize("value", CANARIES, ids=lambda value: ascii(value)[:30])
def test_values_of_credentials_are_refused(value: Any) -> None:
    """Under any name and in any depth; no part of the error holds them."""
    for held in nested(value):
        error = credential_error({"made_up": held})
        assert error is not None, held
        assert error.field == "made_up"
        plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        text = plain if isinstance(plain, str) else plain.decode()
        assert text.strip() not in leaks.render_exception(error, skip=())


@pytest.mark.parametrize("value", HARMLESS, ids=range(len(HARMLESS)))
def test_other_values_are_not(value: Any) -> None:
    """What only looks a little like one goes on."""
    for held in nested(value):
        assert credential_error({"made_up": held}) is None


def test_a_credential_in_the_place_of_a_name_is_not_repeated() -> None:
    """A name that is a token itself is neither in the error nor in its field."""
    for value in (TOKEN, "xai-0123456789abcdef", "Bearer sesame", f"{TOKEN}_key"):
        error = credential_error({"made_up": 1, value: 1})
        assert error is not None
        assert error.field
        assert value not in leaks.render_exception(error, skip=())
        assert TOKEN not in f"{error} {error.field}"


@pytest.mark.parametrize(
    "holder", ["extra_body", "model_kwargs", "additional_kwargs", "extra_query", "extraBody"]
)
def test_options_that_hold_options_are_looked_into(holder: str) -> None:
    """The option inside is named, and judged as if it were given beside the others."""
    for options in ({holder: {"api_key": "sesame"}}, {holder: {holder: {"api_key": "sesame"}}}):
        error = credential_error(options, known={"api_key"})
        assert error is not None
        assert error.field == "api_key"
    error = credential_error({holder: {"made_up": TOKEN}})
    assert error is not None
    assert error.field == "made_up"
    assert credential_error({holder: {"max_tokens": 5, "user": "u"}}) is None


def test_schemas_and_tools_are_not_options() -> None:
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


def test_containers_that_contain_themselves_have_an_end() -> None:
    """No depth and no circle keeps the judge busy."""
    circle: dict[str, Any] = {"a": [1]}
    circle["extra_body"] = circle
    circle["a"] += [circle["a"], circle]
    assert credential_error(circle) is None
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
def test_any_options_are_judged(options: Any) -> None:
    """Names and values of any kind lead to an error of ours or to none."""
    assert isinstance(credential_error(options), UsageError | None)


@given(
    before=st.sampled_from(["", "my_", "x-", "the", "llm "]),
    name=st.sampled_from(["token", "api_key", "secret", "headers", "password", "authorization"]),
    after=st.sampled_from(["", "_", "_2", "Value", "-of-mine"]),
)
def test_a_word_is_found_wherever_it_stands(before: str, name: str, after: str) -> None:
    """Parted by what is no letter, or by a capital one."""
    text = f"{before}{name.capitalize() if before == 'the' else name}{after}"
    assert is_credential_name(text)


def sample(schema: Any, schemas: dict[str, Any], depth: int = 8) -> Any:
    """A value that has all properties of a schema, of all its variants, down to a depth."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    held: dict[str, Any] = {}
    if depth:
        for word in ("oneOf", "anyOf", "allOf"):
            for variant in schema.get(word, ()):
                value = sample(variant, schemas, depth - 1)
                held |= value if isinstance(value, dict) else {}
        for name, value in schema.get("properties", {}).items():
            held[name] = sample(value, schemas, depth - 1)
        if "items" in schema:
            return [sample(schema["items"], schemas, depth - 1)]
    return held or "sesame"


@pytest.mark.skipif(not OPENAPI.is_file(), reason="xAI's specification is not there")
def test_nothing_that_xai_takes_is_refused() -> None:
    """No property of any request body in xAI's specification, in whatever depth, is refused."""
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


# --- the last barrier ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["token", "apiKey", "extra_headers", "made_up"])
def test_no_request_is_made_with_a_credential(name: str) -> None:
    """``extra`` of a request is what everything unknown ends up in."""
    with pytest.raises(UsageError) as refusal:
        ChatRequest(model="grok-4.7", messages=HELLO, extra={name: TOKEN})
    assert refusal.value.field == name
    assert TOKEN not in f"{refusal.value} {refusal.value!r} {vars(refusal.value)}"


@pytest.mark.parametrize("name", sorted(NAME_OPTIONS))
def test_no_name_in_a_request_is_a_token(name: str) -> None:
    """Nor is an id: each known option that is neither text, number, tool nor schema is judged."""
    for value in (TOKEN, f" {TOKEN}\n", "at_" + "k" * 24, f"Bearer {TOKEN}", [TOKEN], {"a": TOKEN}):
        for build, required in BUILDERS.items():
            if name not in {field.name for field in fields(build)}:
                continue
            with pytest.raises(UsageError) as refusal:
                build(**{**required, name: value})
            assert refusal.value.field == name
            assert TOKEN not in f"{refusal.value} {refusal.value!r} {vars(refusal.value)}"
    assert credential_error({name: TOKEN}, known={name}) is not None
    assert token_error({name: "xai-docs-v2"}) is None
    assert token_error({name: "at_least_once"}) is None
    assert token_error({name: TOKEN}, known=()) is None


def test_each_field_of_a_request_is_judged_or_free() -> None:
    """A new field that is neither a number nor a flag is a name, or is listed as free."""
    numbers = {int, float, bool, type(None)}
    others = {
        field.name
        for build in BUILDERS
        for field in fields(build)
        if not {*(get_args(field.type) or (field.type,))} <= numbers
    }
    assert others - NAME_OPTIONS == FREE


def test_free_texts_of_a_request_may_be_anything() -> None:
    """A stop sequence and a prompt are sent as they are."""
    assert ChatRequest(model="grok-4.7", messages=HELLO, stop=(TOKEN,)).stop == (TOKEN,)
    assert ImageRequest(prompt=TOKEN).prompt == TOKEN
    assert EmbeddingRequest(texts=[TOKEN]).texts == [TOKEN]


@pytest.mark.parametrize("client", [SyncGatewayClient, AsyncGatewayClient])
def test_no_method_of_the_gateway_sends_a_token(gateway: FakeServer, client: Any) -> None:
    """Neither in a body nor in a path."""
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
        ("retrieve_model", (TOKEN,), {}, "model_id"),
        ("get_file", (TOKEN,), {}, "file_id"),
        ("tokenize", ("x",), {"model": TOKEN}, "model"),
        ("create_chat_completion", (), {"model": TOKEN, "messages": []}, "model"),
        ("create_chat_completion", (), {"model": "m", "messages": [], "user": TOKEN}, "user"),
    ]
    opened = client(server_settings(gateway))
    for method, args, values, name in calls:
        with pytest.raises(UsageError) as refusal:
            opened.call_method(method, *args, **values)
        assert refusal.value.field == name
        assert TOKEN not in f"{refusal.value} {refusal.value!r}"
    opened.close()
    assert not gateway.requests
