"""The core's model and those of both frameworks, with one interface.

Each has a module of its own, so that a program that uses one imports no other.
"""

from typing import Any

from tests.faults.core_component import Core
from tests.faults.langchain_component import LangChain
from tests.faults.llama_index_component import LlamaIndex

COMPONENTS: tuple[Any, ...] = (Core, LangChain, LlamaIndex)
