"""Configured models, of which LangChain creates one in each call, share an ``http_client``."""

from typing import Any

import httpx
import pytest
from langchain_core.runnables import ConfigurableField

from langchain_xai_lowcode import ChatXAILowCode
from tests.core.fake_server import FakeServer, Reply
from tests.langchain.helpers import SYNC_AND_ASYNC, run
from xai_lowcode.errors import BadRequestError

TOKEN = "at_0123456789abcdef01234567"


@SYNC_AND_ASYNC
async def test_configured_models_share_the_http_client(*, use_async: bool) -> None:
    """Five configured calls need one connection; without the client, one connection each."""
    made, temperature = {}, ConfigurableField(id="temperature")
    async with httpx.AsyncClient() as async_client:
        with httpx.Client() as client:
            for name, clients in (
                ("own", {}),
                ("shared", {"http_client": client, "http_async_client": async_client}),
            ):
                with FakeServer(lambda _request: Reply(status=400)) as server:
                    llm = ChatXAILowCode(api_token=TOKEN, base_url=server.base_url, **clients)
                    model = llm.configurable_fields(temperature=temperature)
                    for tenth in range(5):
                        config: Any = {"configurable": {"temperature": tenth / 10}}
                        with pytest.raises(BadRequestError):
                            await run(model, "Hello", config, use_async=use_async)
                    made[name] = server.connections_made
    assert made == {"own": 5, "shared": 1}
