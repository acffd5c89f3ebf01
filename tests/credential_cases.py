"""Credentials among options, and invalid settings of connections: cases for both adapters."""

import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.core.fake_server import FakeServer
from tests.core.leaks import render_variable
from xai_lowcode._internal.credentials import NAME_OPTIONS
from xai_lowcode.errors import UsageError

TOKEN = "at_r" + "0" * 32
CANARY = "at_canary-of=the&mine-0815"
PROXY = "http://user:canary-of-a-password@proxy.example:3128"

Case = tuple[dict[str, Any], str]
"""Options, and the name that the error must have."""

OPTIONS: list[Case] = [
    ({"token": CANARY}, "token"),
    ({"access_token": CANARY}, "access_token"),
    ({"lowcodeapi_api_token": CANARY}, "lowcodeapi_api_token"),
    ({"accessToken": CANARY}, "accessToken"),
    ({"openai_api_key": CANARY}, "openai_api_key"),
    ({"headers": {"Authorization": f"Bearer {CANARY}"}}, "headers"),
    ({"extra_headers": {"x": CANARY}}, "extra_headers"),
    ({"cookie": CANARY}, "cookie"),
    ({"password": "sesame"}, "password"),
    ({"made_up": CANARY}, "made_up"),
    ({"made_up": {"deep": [{"down": f"Bearer {CANARY}"}]}}, "made_up"),
    ({"made_up": SecretStr(CANARY)}, "made_up"),
    # Options that are fields whose value is a name or an id.
    *(({name: CANARY}, name) for name in sorted(NAME_OPTIONS)),
    ({"include": ["x", CANARY]}, "include"),
    ({"reasoning": {"effort": CANARY}}, "reasoning"),
    ({"user": f"Bearer {CANARY}"}, "user"),
    ({"model": SecretStr(CANARY)}, "model"),
]
CALL_OPTIONS: list[Case] = [
    *OPTIONS,
    ({"api_token": CANARY}, "api_token"),
    ({"api_key": CANARY}, "api_key"),
    ({"default_headers": {"x": CANARY}}, "default_headers"),
    ({"extra_body": {"api_key": CANARY}}, "api_key"),
    ({"extra_body": {"made_up": CANARY}}, "made_up"),
]
INVALID_SETTINGS: list[Case] = [
    ({"timeout": "soon"}, "timeout"),
    ({"timeout": (5,)}, "timeout"),
    ({"timeout": float("nan")}, "timeout"),
    ({"deadline": "5"}, "deadline"),
    ({"deadline": True}, "deadline"),
    ({"deadline": float("inf")}, "deadline"),
    ({"max_retries": "3"}, "max_retries"),
    ({"max_retries": True}, "max_retries"),
    ({"max_retries": -1}, "max_retries"),
    ({"max_response_bytes": 0}, "max_response_bytes"),
    ({"max_response_bytes": True}, "max_response_bytes"),
    ({"verify": "/no/such/file"}, "verify"),
    ({"verify": 1}, "verify"),
    ({"proxy": "ftp://user:canary@proxy"}, "proxy"),
    ({"proxy": httpx.Proxy(PROXY)}, "proxy"),
    ({"base_url": "https://a..b/xai"}, "base_url"),
    ({"http_client": "http://user:canary@proxy"}, "http_client"),
    ({"http_client": httpx.Client}, "http_client"),
    ({"http_client": httpx.AsyncClient()}, "http_client"),
    ({"http_async_client": httpx.Client()}, "http_async_client"),
    ({"http_client": httpx.Client(), "proxy": PROXY}, "proxy"),
    ({"http_async_client": httpx.AsyncClient(), "verify": False}, "verify"),
]


def each_case(cases: list[Case]) -> pytest.MarkDecorator:
    """Run a test for each case, with the arguments ``options`` and ``name``."""
    return pytest.mark.parametrize(("options", "name"), cases, ids=lambda value: str(value)[:30])


def check_rejected(
    server: FakeServer, name: str, call: Callable[[], Any], files: tuple[str, ...]
) -> UsageError:
    """Check that a call raises a `UsageError` before a request, and return the error.

    Neither the error, its traceback and causes, nor a variable of a frame has the credential.

    Args:
        server: The server that must receive no request.
        name: The option that the error must name.
        call: The call.
        files: Parts of paths; the variables of frames in these files are checked.
    """
    with pytest.raises(UsageError) as caught:
        call()
    error = caught.value
    assert error.field == name
    assert str(error).startswith(f"{name}: ")
    cause: BaseException | None = error
    while cause is not None:
        assert CANARY not in f"{cause} {cause!r} {vars(cause)}"
        cause = cause.__cause__ or cause.__context__
    assert CANARY not in "".join(traceback.format_exception(error))
    for frame, _line in traceback.walk_tb(error.__traceback__):
        if any(part in frame.f_code.co_filename for part in files):
            for variable, value in frame.f_locals.items():
                assert CANARY not in render_variable(variable, value), frame.f_code.co_qualname
    assert server.requests == []
    return error
