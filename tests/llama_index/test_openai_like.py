"""Compatibility with OpenAILike: each parameter is accepted, or a warning is emitted."""

from typing import Any

import httpx
import pytest
from llama_index.core.callbacks import CallbackManager
from llama_index.core.types import PydanticProgramMode

from llama_index_xai_lowcode import XAILowCode

TOKEN = "at_r" + "0" * 32

# The fields and constructor parameters of llama-index-llms-openai-like 0.8.1 and of its base class,
# with values that users pass.
OF_OPENAI_LIKE: dict[str, Any] = {
    "model": "grok-4.7",
    "temperature": 0.5,
    "max_tokens": 10,
    "logprobs": True,
    "top_logprobs": 2,
    "additional_kwargs": {"seed": 1},
    "max_retries": 3,
    "timeout": 5.0,
    "reuse_client": False,
    "api_key": TOKEN,
    "api_base": "http://127.0.0.1:1/xai",
    "callback_manager": CallbackManager(),
    "http_client": None,
    "async_http_client": None,
    "system_prompt": "s",
    "messages_to_prompt": str,
    "completion_to_prompt": str,
    "pydantic_program_mode": PydanticProgramMode.FUNCTION,
    "output_parser": None,
    "strict": True,
    "reasoning_effort": "high",
    "context_window": 1000,
    "is_chat_model": True,
    "is_function_calling_model": True,
    "should_use_structured_outputs": True,
    "tokenizer": None,
}
WITHOUT_EFFECT: dict[str, Any] = {
    "default_headers": {"a": "b"},
    "api_version": "v1",
    "openai_client": object(),
    "async_openai_client": object(),
    "modalities": ["text"],
    "audio_config": {"voice": "v"},
}


def test_every_parameter_of_openai_like() -> None:
    """Each parameter of OpenAILike is accepted, and only request options are sent."""
    llm = XAILowCode(**OF_OPENAI_LIKE)
    assert llm.additional_kwargs == {"seed": 1}
    for name in OF_OPENAI_LIKE.keys() & XAILowCode.model_fields.keys() - {"callback_manager"}:
        assert getattr(llm, name) == OF_OPENAI_LIKE[name], name
    assert llm.callback_manager is OF_OPENAI_LIKE["callback_manager"]
    assert XAILowCode(api_token=TOKEN, max_new_tokens=7).max_tokens == 7
    client = httpx.AsyncClient()
    assert XAILowCode(api_token=TOKEN, async_http_client=client).http_async_client is client


@pytest.mark.parametrize("name", [*WITHOUT_EFFECT])
def test_parameters_without_effect_warn(name: str) -> None:
    """Parameters that the gateway does not support are not sent, with a warning."""
    with pytest.warns(UserWarning, match=name):
        llm = XAILowCode(api_token=TOKEN, **{name: WITHOUT_EFFECT[name]})
    assert llm.additional_kwargs == {}
    assert not XAILowCode(api_token=TOKEN, **{name: None}).additional_kwargs
