"""Laws of blanks: what is filled in is what pydantic would have made, and stands alone."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, TextBlock
from pydantic import BaseModel, ConfigDict, PrivateAttr

from xai_lowcode._internal.pydantic_copies import Blank


class Plain(BaseModel):
    """A model with a bit of everything; assignments are checked."""

    model_config = ConfigDict(validate_assignment=True)

    text: str = ""
    number: int | None = None
    names: list[str] = []
    facts: dict[str, Any] = {}
    _seen: int = PrivateAttr(default=0)


BLANKS: list[tuple[BaseModel, Callable[[str], dict[str, Any]]]] = [
    (Plain(), lambda text: {"text": text, "number": 3}),
    (Plain(number=5), lambda text: {"text": text, "facts": {text: [text]}}),
    (
        AIMessageChunk(content=""),
        lambda text: {"content": text, "id": "r", "response_metadata": {"model": text}},
    ),
    (
        ChatGenerationChunk(message=AIMessageChunk(content="")),
        lambda text: {"text": text, "message": AIMessageChunk(content=text)},
    ),
    (TextBlock(text=""), lambda text: {"text": text}),
    (
        ChatMessage(role=MessageRole.ASSISTANT, blocks=[]),
        lambda text: {"blocks": [TextBlock(text=text)], "additional_kwargs": {"a": text}},
    ),
    (
        ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, blocks=[])),
        lambda text: {
            "message": ChatMessage(role=MessageRole.ASSISTANT, content=text),
            "delta": text,
            "raw": {"id": text},
        },
    ),
]
BY_KIND = pytest.mark.parametrize(
    ("blank", "fields_of"),
    BLANKS,
    ids=[type(b).__name__ + str(n) for n, (b, _) in enumerate(BLANKS)],
)


@BY_KIND
@given(text=st.text())
def test_what_is_filled_in_is_what_pydantic_makes(
    blank: BaseModel, fields_of: Callable[[str], dict[str, Any]], text: str
) -> None:
    """Equal, with the same fields set, in each form in which it is kept or sent on."""
    given_first = {name: getattr(blank, name) for name in blank.model_fields_set}
    checked = type(blank)(**given_first | fields_of(text))
    filled = Blank(blank).filled(**fields_of(text))
    assert type(filled) is type(checked)
    assert filled == checked
    assert filled.model_fields_set >= fields_of(text).keys()
    assert filled.model_dump() == checked.model_dump()
    assert repr(filled) == repr(checked)
    assert pickle.loads(pickle.dumps(filled)) == checked  # noqa: S301 - made here
    assert copy.deepcopy(filled) == filled.model_copy() == checked


@BY_KIND
def test_none_shares_anything_with_another(
    blank: BaseModel, fields_of: Callable[[str], dict[str, Any]]
) -> None:
    """Whoever changes one changes neither the blank nor the next one."""
    before = blank.model_dump()
    form = Blank(blank)
    first, second = form.filled(**fields_of("a")), form.filled(**fields_of("b"))
    untouched = second.model_dump()
    for name in type(blank).model_fields:
        held = getattr(first, name)
        if isinstance(held, dict):
            held["changed"] = True
        elif isinstance(held, list):
            held.append("changed")
    first.model_fields_set.clear()
    assert second.model_dump() == untouched
    assert second.model_fields_set >= fields_of("b").keys()
    assert blank.model_dump() == before
    assert form.filled(**fields_of("b")) == second


def test_a_copy_is_a_living_object() -> None:
    """Assignments are still checked, and private attributes are there, each its own."""
    form = Blank(Plain())
    one, other = form.filled(text="a"), form.filled(text="b")
    one._seen = 4
    assert other._seen == 0
    one.number = 4
    with pytest.raises(ValueError, match="number"):
        one.number = "four"  # type: ignore[assignment]  # pydantic is to refuse it
