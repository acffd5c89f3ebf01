"""A pytest fixture for users: the gateway on loopback, as good as new for every test.

Example:
    A test of an application that makes its own model; where it connects to comes from the
    environment, and what it said can be looked at afterwards::

        from langchain_xai_lowcode import ChatXAILowCode

        def test_answers(xai_lowcode_gateway):
            reply = ChatXAILowCode(model="grok-4.3").invoke("Say 'pong'")
            assert reply.text == "pong"
            assert xai_lowcode_gateway.requests[-1].body["model"] == "grok-4.3"

    Misfortunes are queued before the call that is to meet them::

        from xai_lowcode.emulator import Refuse

        def test_patience(xai_lowcode_gateway):
            xai_lowcode_gateway.inject(Refuse(429, retry_after=0.1))
            assert ChatXAILowCode(model="grok-4.3").invoke("Say 'pong'").text == "pong"
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
        # Whoever does not use the fixture need not have a server installed, nor wait for one.
        from xai_lowcode.emulator.server import running  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        pytest.fail(MISSING.format(missing.name), pytrace=False)
    with running() as gateway:
        yield gateway


@pytest.fixture
def xai_lowcode_gateway(
    _xai_lowcode_server: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Emulator]:
    """The LowCodeAPI gateway with xAI behind it, on this machine and without a network.

    Its address and a good token are in LOWCODEAPI_BASE_URL and LOWCODEAPI_API_TOKEN for the time
    of the test. Switches, faults, files and recorded requests are the test's own.
    """
    gateway = _xai_lowcode_server
    gateway.reset()
    monkeypatch.setenv("LOWCODEAPI_API_TOKEN", gateway.api_token)
    monkeypatch.setenv("LOWCODEAPI_BASE_URL", gateway.base_url)
    yield gateway
    gateway.reset()
