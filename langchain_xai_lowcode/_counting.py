"""Token counts as LangChain asks for them, by the service's own tokenizer."""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from langchain_xai_lowcode._errors import langchain_errors
from langchain_xai_lowcode._input import to_messages
from langchain_xai_lowcode._options import ChatOptions
from langchain_xai_lowcode._tools import openai_tools, to_tool_specs


class TokenCounting(ChatOptions):
    """Counts for models; a text is asked once, and nothing is ever downloaded.

    LangChain wants plain numbers. Where the gateway cannot be reached they are estimates, a token
    for four bytes, after one warning; ``xai_lowcode.api.tokens`` tells which they are.
    """

    def get_num_tokens(self, text: str) -> int:
        """Counts the tokens of a text: exactly, or estimated after one warning.

        Args:
            text: The text.

        Raises:
            XAILowCodeError: The service refused, and trying later would not help.
        """
        if (custom := self._custom_ids(text)) is not None:
            return len(custom)
        with langchain_errors():
            return self._gateway.tokens.count(text, model=self.model, estimate=True).tokens

    async def aget_num_tokens(self, text: str) -> int:
        """Counts the tokens of a text; see ``get_num_tokens``."""
        if (custom := self._custom_ids(text)) is not None:
            return len(custom)
        with langchain_errors():
            count = await self._gateway.tokens.acount(text, model=self.model, estimate=True)
            return count.tokens

    def get_token_ids(self, text: str) -> list[int]:
        """The tokens of a text by their numbers, which cannot be estimated.

        Args:
            text: The text.

        Raises:
            XAILowCodeError: The service could not be asked.
        """
        if (custom := self._custom_ids(text)) is not None:
            return custom
        with langchain_errors():
            return self._gateway.tokens.ids(text, model=self.model)

    async def aget_token_ids(self, text: str) -> list[int]:
        """The tokens of a text by their numbers; see ``get_token_ids``."""
        if (custom := self._custom_ids(text)) is not None:
            return custom
        with langchain_errors():
            return await self._gateway.tokens.aids(text, model=self.model)

    def get_num_tokens_from_messages(
        self, messages: Sequence[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Counts the tokens of a conversation; ``trim_messages`` takes the model for its counter.

        Texts are counted exactly. What the service puts around them, and pictures, are estimates:
        see ``xai_lowcode.api.tokens``.

        Args:
            messages: The conversation; one request for each message that is new.
            tools: Tools that go with it, of any kind that ``bind_tools`` takes.

        Raises:
            UsageError: A message cannot be sent to Grok.
            XAILowCodeError: The service refused, and trying later would not help.
        """
        with langchain_errors():
            return self._gateway.tokens.count_messages(
                to_messages(messages),
                model=self.model,
                tools=to_tool_specs(openai_tools(tools or (), strict=None, clean=self._cleans({}))),
                estimate=True,
            ).tokens

    async def aget_num_tokens_from_messages(
        self, messages: Sequence[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Counts the tokens of a conversation; see ``get_num_tokens_from_messages``."""
        with langchain_errors():
            count = await self._gateway.tokens.acount_messages(
                to_messages(messages),
                model=self.model,
                tools=to_tool_specs(openai_tools(tools or (), strict=None, clean=self._cleans({}))),
                estimate=True,
            )
            return count.tokens

    def _custom_ids(self, text: str) -> list[int] | None:
        """What LangChain's field for a tokenizer of the user's own says, if it is set."""
        custom = getattr(self, "custom_get_token_ids", None)
        return None if custom is None else custom(text)
