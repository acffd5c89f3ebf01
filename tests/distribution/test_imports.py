"""Check which modules the import and construction of a chat model load.

Modules that a plain chat does not need are imported on first use, to keep the start-up time short.
"""

import subprocess
import sys
from collections.abc import Callable
from functools import cache

import pytest

LAZY = {
    "langchain_xai_lowcode._schemas",
    "langchain_xai_lowcode._stream",
    "langchain_xai_lowcode._structured_output",
    "langchain_xai_lowcode.embeddings",
    "langchain_xai_lowcode.images",
    "llama_index_xai_lowcode._stream",
    "llama_index_xai_lowcode.embeddings",
    "llama_index_xai_lowcode.images",
    "xai_lowcode.api.client",
    "xai_lowcode.api.deferred",
    "xai_lowcode.api.documents",
    "xai_lowcode.api.embeddings",
    "xai_lowcode.api.endpoints",
    "xai_lowcode.api.files",
    "xai_lowcode.api.methods",
    "xai_lowcode.api.tokens",
    "xai_lowcode.chat.dialects.chat_completions",
    "xai_lowcode.chat.dialects.messages",
    "xai_lowcode.chat.dialects.responses",
    "xai_lowcode.chat.image_editing",
    "xai_lowcode.chat.stream_reader",
    "xai_lowcode.cli",
    "xai_lowcode.diagnostics",
    "xai_lowcode.emulator",
    "xai_lowcode.json_schema.sanitizer",
    "xai_lowcode.transport.pool",
    "xai_lowcode.types.events",
    "xai_lowcode.types.images",
    "xai_lowcode.types.resources",
}
MODELS = {"langchain_xai_lowcode": "ChatXAILowCode", "llama_index_xai_lowcode": "XAILowCode"}
OTHER_FRAMEWORK = {"langchain_xai_lowcode": "llama_index", "llama_index_xai_lowcode": "langchain"}
MODULES = """
import sys
from {package} import {name}
{name}(api_token="at_r" + "0" * 32)
print(*sys.modules)
"""


@pytest.fixture(scope="module")
def loaded_modules(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], set[str]]:
    """Return a function for the modules that a new interpreter loads for a chat model."""
    folder = tmp_path_factory.mktemp("elsewhere")

    @cache
    def load(package: str) -> set[str]:
        code = MODULES.format(package=package, name=MODELS[package])
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
        )
        assert result.stderr == ""
        return set(result.stdout.split())

    return load


@pytest.mark.parametrize("package", sorted(MODELS))
def test_a_chat_model_does_not_load_lazy_modules(
    loaded_modules: Callable[[str], set[str]], package: str
) -> None:
    """Creating a chat model loads the chat core and none of the lazy modules."""
    modules = loaded_modules(package)
    assert {package, "xai_lowcode.chat.model"} <= modules
    assert LAZY & modules == set()


@pytest.mark.parametrize("package", sorted(MODELS))
def test_a_chat_model_works_without_the_other_framework(
    loaded_modules: Callable[[str], set[str]], package: str
) -> None:
    """Creating a chat model loads no module of the other framework, though it is installed."""
    other = OTHER_FRAMEWORK[package]
    assert [name for name in loaded_modules(package) if name.startswith(other)] == []


@pytest.mark.parametrize("module", sorted(LAZY))
def test_lazy_modules_exist(module: str) -> None:
    """Each listed module exists, so that a rename cannot empty the check."""
    assert __import__(module, fromlist=["a"]).__name__ == module
