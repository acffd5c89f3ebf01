"""A pytest fixture with a running emulator, reset before every test.

Example:
    The client under test reads the base URL and the token from the environment::

        from langchain_xai_lowcode import ChatXAILowCode

        def test_response(xai_lowcode_gateway):
            message = ChatXAILowCode(model="grok-4.3").invoke("Say 'pong'")
            assert message.text == "pong"
            assert xai_lowcode_gateway.requests[-1].body["model"] == "grok-4.3"

    Replies and faults are queued before the request they apply to::

        from xai_lowcode.emulator import Refuse

        def test_retry(xai_lowcode_gateway):
            xai_lowcode_gateway.inject(Refuse(429, retry_after=0.1))
            xai_lowcode_gateway.reply("Hello")
            assert ChatXAILowCode(model="grok-4.3").invoke("Hi").text == "Hello"
            assert len(xai_lowcode_gateway.requests) == 2
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xai_lowcode.emulator import Emulator

MISSING = "The fixture needs {}: pip install 'xai-lowcode[emulator]'."


@pytest.fixture(scope="session")
def _xai_lowcode_server() -> Iterator[Emulator]:
    try:
        # Imported here, since the plugin is loaded also where the extra is not installed.
        from xai_lowcode.emulator.server import running  # noqa: PLC0415
    except ModuleNotFoundError as error:
        pytest.fail(MISSING.format(error.name), pytrace=False)
    with running() as emulator:
        yield emulator


@pytest.fixture
def xai_lowcode_gateway(
    _xai_lowcode_server: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Emulator]:
    """A running emulator of the gateway, reset before and after the test.

    Its base URL and a valid token are in the environment variables LOWCODEAPI_BASE_URL and
    LOWCODEAPI_API_TOKEN during the test.
    """
    emulator = _xai_lowcode_server
    emulator.reset()
    monkeypatch.setenv("LOWCODEAPI_API_TOKEN", emulator.api_token)
    monkeypatch.setenv("LOWCODEAPI_BASE_URL", emulator.base_url)
    yield emulator
    emulator.reset()
