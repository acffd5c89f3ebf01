"""Options by the names of the APIs, in both adapters."""

from collections.abc import Iterator

import pytest

from langchain_xai_lowcode import ChatXAILowCode
from tests.conversations.adapters import ADAPTERS, Adapter
from xai_lowcode.emulator import Emulator, running

LIMITS = {
    "auto": "max_output_tokens",
    "chat_completions": "max_completion_tokens",
    "messages": "max_tokens",
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Emulator]:
    """Run the emulator for this module."""
    with running() as gateway:
        yield gateway


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@pytest.mark.parametrize("api", LIMITS)
@pytest.mark.parametrize("name", LIMITS.values())
def test_the_token_limit(gateway: Emulator, adapter: Adapter, api: str, name: str) -> None:
    """The token limit is accepted by the name of any API, and sent by that of the chosen API."""
    question = [adapter.message("user", "Tell me a story")]
    for options in ({name: 7}, {adapter.extra: {name: 7}}):
        model = adapter.model(
            api_token=gateway.api_token, base_url=gateway.base_url, api=api, **options
        )
        adapter.send(model, question)
        body = gateway.requests[-1].body
        assert {limit: body[limit] for limit in LIMITS.values() if limit in body} == {
            LIMITS[api]: 7
        }


@pytest.mark.parametrize("name", LIMITS.values())
def test_the_token_limit_is_a_field(name: str) -> None:
    """The token limit is the field `max_tokens`, which LangChain reports to tracers."""
    model = ChatXAILowCode(api_token="at_rtest", **{name: 7})
    assert model.max_tokens == 7
    assert not model.model_kwargs
    assert model._get_ls_params()["ls_max_tokens"] == 7
