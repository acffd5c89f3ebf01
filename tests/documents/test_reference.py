"""The reference documents each method that users call, and no hook of a framework."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import langchain_xai_lowcode
import llama_index_xai_lowcode

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
# Pages and the classes whose inherited methods their tables list.
INHERITED = [
    ("langchain", langchain_xai_lowcode.ChatXAILowCode),
    ("llama-index", llama_index_xai_lowcode.XAILowCode),
    ("llama-index-components", llama_index_xai_lowcode.XAILowCodeEmbedding),
]
# Methods of the frameworks' base classes that set or check their own state.
HOOKS = {
    "check_base_embeddings_class",
    "check_callback_manager",
    "check_prompts",
    "convert_chat_messages",
    "custom_model_dump",
    "set_completion_to_prompt",
    "set_messages_to_prompt",
    "set_verbose",
    "to_json_not_implemented",
}
TABLE = re.compile(r"^\| method \| effect \|\n(?:\|.*\n)+", re.MULTILINE)


def listed_methods(page: str) -> list[str]:
    """Return the methods in the table of a page."""
    (table,) = TABLE.findall((REFERENCE / f"{page}.md").read_text())
    return [
        name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])
    ]


def inherited_methods(component: Any) -> set[str]:
    """Return the public methods of a component that its framework defines."""
    return {
        name
        for name in dir(component)
        if not name.startswith("_")
        and name not in component.model_fields
        and not hasattr(BaseModel, name)
        and callable(getattr(component, name))
        and not any(name in vars(base) for base in component.__mro__ if is_own(base))
    }


def is_own(base: type) -> bool:
    """Return whether a class is one of this package."""
    return base.__module__.partition(".")[0].endswith("_xai_lowcode")


@pytest.mark.parametrize(("page", "component"), INHERITED)
def test_every_inherited_method_is_listed(page: str, component: Any) -> None:
    """Each inherited method is in the table once, and each method in the table exists."""
    listed = listed_methods(page)
    assert len(listed) == len(set(listed))
    assert inherited_methods(component) - HOOKS <= set(listed)
    assert [name for name in listed if not callable(getattr(component, name, None))] == []


def test_internal_members_exist() -> None:
    """Each member that the reference leaves out exists, so that the list stays current."""
    spec = importlib.util.spec_from_file_location("docstrings", ROOT / "docs" / "docstrings.py")
    assert spec
    assert spec.loader
    docstrings = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(docstrings)
    sources = "\n".join(
        path.read_text()
        for folder in ("shared", "langchain_xai_lowcode", "llama_index_xai_lowcode")
        for path in (ROOT / folder).rglob("*.py")
    )
    for name in docstrings.INTERNAL:
        owner, _, member = name.rpartition(".")
        assert re.search(rf"\b(def {member}\(|{member} = )", sources), name
        assert not owner or f"class {owner}" in sources
