"""Each row of the field tables on the migration pages is correct."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices

from langchain_xai_lowcode import ChatXAILowCode
from llama_index_xai_lowcode import XAILowCode
from xai_lowcode.errors import UsageError

DOCS = Path(__file__).parents[2] / "docs"
NAME = re.compile(r"`(\w+)`")
TOKEN = "at_r" + "0" * 32

# The fields of ChatXAI 1.3.0 and ChatOpenAI 1.7.3, without LangChain's own.
OF_LANGCHAIN = """
model temperature top_p max_tokens stop n seed presence_penalty frequency_penalty logprobs
top_logprobs reasoning_effort reasoning service_tier store include use_previous_response_id
use_responses_api streaming stream_usage include_response_headers model_kwargs extra_body
max_retries request_timeout http_client http_async_client xai_api_key openai_api_key xai_api_base
openai_api_base default_headers default_query search_parameters logit_bias verbosity truncation
context_management prompt_cache_options openai_organization openai_proxy http_socket_options client
async_client root_client root_async_client stream_chunk_timeout tiktoken_model_name disabled_params
"""
# The parameters of OpenAILike 0.8.1.
OF_LLAMA_INDEX = """
model temperature max_tokens logprobs top_logprobs reasoning_effort additional_kwargs max_retries
timeout api_key api_base context_window is_function_calling_model should_use_structured_outputs
http_client async_http_client callback_manager system_prompt messages_to_prompt
completion_to_prompt pydantic_program_mode output_parser is_chat_model reuse_client strict tokenizer
default_headers api_version openai_client async_openai_client modalities audio_config
"""


def rows(page: str, heading: str) -> Iterator[tuple[list[str], str, str]]:
    """Yield the rows of a section's table: names, replacement and remark."""
    section = (DOCS / page).read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            first, second, third = (cell.strip() for cell in line.strip("|").split("|", 2))
            yield NAME.findall(first), second, third.strip(" |")


LANGCHAIN = list(rows("coming-from-langchain.md", "Every field"))
LLAMA_INDEX = list(rows("coming-from-llama-index.md", "Every parameter"))


def langchain_names() -> set[str]:
    """Return the fields of the chat model with their aliases."""
    names = set(ChatXAILowCode.model_fields) | {"use_responses_api"}
    for field in ChatXAILowCode.model_fields.values():
        if isinstance(field.validation_alias, AliasChoices):
            names |= {str(choice) for choice in field.validation_alias.choices}
    return names


def test_every_field_has_a_row() -> None:
    """Each field of the other classes has a row."""
    for table, fields in ((LANGCHAIN, OF_LANGCHAIN), (LLAMA_INDEX, OF_LLAMA_INDEX)):
        listed = {name for names, _, _ in table for name in names}
        assert listed >= set(fields.split())


@pytest.mark.parametrize(
    ("names", "replacement", "remark"), LANGCHAIN, ids=lambda cell: str(cell)[:30]
)
def test_the_row_of_a_langchain_field(names: list[str], replacement: str, remark: str) -> None:
    """Kept and renamed fields exist; others are rejected or issue a warning."""
    fields = langchain_names()
    if replacement == "kept":
        assert set(names) <= fields
    elif replacement != "no":
        assert set(NAME.findall(replacement)) <= set(ChatXAILowCode.model_fields)
    for name in set(names) - fields:
        arguments: dict[str, Any] = {name: "x"}
        if "rejected" in remark:
            with pytest.raises(UsageError):
                ChatXAILowCode(api_token=TOKEN, **arguments)
        else:
            with pytest.warns(UserWarning, match=name):
                ChatXAILowCode(api_token=TOKEN, **arguments)


@pytest.mark.parametrize(
    ("names", "replacement", "remark"), LLAMA_INDEX, ids=lambda cell: str(cell)[:30]
)
def test_the_row_of_a_llama_index_parameter(
    names: list[str], replacement: str, remark: str
) -> None:
    """Renamed parameters exist, and parameters without effect are accepted."""
    for name in names:
        arguments: dict[str, Any] = {name: "x"}
        if replacement == "kept":
            assert name in XAILowCode.model_fields
        elif replacement == "no":
            with pytest.warns(UserWarning, match=name):
                XAILowCode(api_token=TOKEN, **arguments)
            assert "warning" in remark or remark == "the same"
        elif replacement == "accepted, no effect":
            assert not XAILowCode(api_token=TOKEN, **arguments).additional_kwargs
        else:
            assert set(NAME.findall(replacement)) <= set(XAILowCode.model_fields)
            assert name in XAILowCode._aliases
