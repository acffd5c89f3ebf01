"""Numbers of images, texts and dimensions are checked when they are given."""

from typing import Any

import pytest

from langchain_xai_lowcode import (
    XAIImageGenerationTool,
    XAIImageGenerator,
    XAILowCodeEmbeddings,
)
from langchain_xai_lowcode import _errors as errors
from tests.cases import for_each

TOKEN = "at_r" + "0" * 32

INVALID: list[tuple[type[Any], dict[str, Any]]] = [
    (XAIImageGenerator, {"n": 0}),
    (XAIImageGenerator, {"n": 11}),
    (XAIImageGenerationTool, {"n": 11}),
    (XAILowCodeEmbeddings, {"chunk_size": 0}),
    (XAILowCodeEmbeddings, {"chunk_size": 1000}),
    (XAILowCodeEmbeddings, {"dimensions": 0}),
]


@for_each(("component", "options"), INVALID)
def test_a_number_out_of_range_is_refused(component: type[Any], options: dict[str, Any]) -> None:
    """The constructor raises an error that names the field and its range."""
    (name,) = options
    with pytest.raises(errors.UsageError, match=f"^{name}: must be an integer") as raised:
        component(api_token=TOKEN, **options)
    assert raised.value.field == name


@pytest.mark.parametrize("size", [0, 1000])
async def test_the_chunk_size_of_a_call(size: int) -> None:
    """The error about a chunk size has the name that LangChain gives it."""
    embeddings = XAILowCodeEmbeddings(api_token=TOKEN)
    with pytest.raises(errors.UsageError, match=r"^chunk_size: "):
        embeddings.embed_documents(["A fox"], chunk_size=size)
    with pytest.raises(errors.UsageError, match=r"^chunk_size: "):
        await embeddings.aembed_documents(["A fox"], chunk_size=size)
