"""The package: lazy imports, exported names, and the error if LlamaIndex is missing."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
from typing import Any

import pytest

import llama_index_xai_lowcode

WITHOUT = """
import sys
sys.modules["llama_index"] = None
try:
    from llama_index_xai_lowcode import XAILowCode
except ImportError as error:
    print(error)
"""
NOT_IMPORTED = """
import sys
import llama_index_xai_lowcode
print(sorted(set(sys.modules) & {"llama_index", "httpx", "pydantic", "langchain_core"}))
"""


def run_and_get_output(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


def test_names() -> None:
    """All exported names exist and are sorted."""
    assert llama_index_xai_lowcode.__all__ == sorted(llama_index_xai_lowcode.__all__)
    for name in llama_index_xai_lowcode.__all__:
        assert getattr(llama_index_xai_lowcode, name)
    assert set(dir(llama_index_xai_lowcode)) <= set(llama_index_xai_lowcode.__all__)
    with pytest.raises(AttributeError):
        _ = llama_index_xai_lowcode.nothing


def test_without_llama_index() -> None:
    """If LlamaIndex is missing, the error says how to install it."""
    assert run_and_get_output(WITHOUT) == (
        "llama_index_xai_lowcode.XAILowCode needs llama_index, which is not installed:"
        " pip install 'xai-lowcode[llama-index]'"
    )


def test_the_import_loads_no_framework() -> None:
    """Importing the package imports no framework or HTTP client."""
    assert run_and_get_output(NOT_IMPORTED) == "[]"


@pytest.mark.parametrize(
    "name", [m.name for m in pkgutil.iter_modules(llama_index_xai_lowcode.__path__)]
)
def test_examples(name: str) -> None:
    """The examples in docstrings run, and each module has a docstring."""
    module: Any = importlib.import_module(f"llama_index_xai_lowcode.{name}")
    assert module.__doc__
    flags = doctest.NORMALIZE_WHITESPACE
    assert doctest.testmod(module, extraglobs={"llm": None}, optionflags=flags).failed == 0
