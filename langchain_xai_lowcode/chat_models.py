"""``ChatXAILowCode``: Grok as a LangChain chat model.

Fields, and the framework's methods, short; the work is done by ``ChatModel`` and the converters.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from typing import Any, ClassVar, Self

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import LangSmithParams
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import model_validator

from langchain_xai_lowcode import _content_blocks as _translator  # noqa: F401 - registers itself
from langchain_xai_lowcode._binding import Binding
from langchain_xai_lowcode._errors import langchain_errors
from langchain_xai_lowcode._output import MODEL_PROVIDER, sum_token_usage, to_result
from langchain_xai_lowcode._stream import ChunkBuilder
from xai_lowcode._version import __version__
from xai_lowcode.chat.profiles import get_profile
from xai_lowcode.types.requests import ChatRequest, parse_polling
from xai_lowcode.types.responses import ChatResponse


class ChatXAILowCode(Binding):
    """Grok through the LowCodeAPI gateway.

    Setup:
        ``pip install 'xai-lowcode[langchain]'``, and the token of your LowCodeAPI account in
        ``LOWCODEAPI_API_TOKEN``.

    Key init args — completion params:
        model: Name of the model; default ``"grok-4.7"``. Any name is sent as it is.
        temperature: 0 to 2. ``top_p``, ``seed``, ``n``, ``presence_penalty`` and
            ``frequency_penalty`` are fields too.
        max_tokens: Limit of visible tokens; reasoning does not count.
        stop: Texts that end an answer; cut here where a model refuses the option.
        reasoning_effort: ``"low"``, ``"high"`` and what else the model knows.
        logprobs: Whether probabilities of tokens are told; ``top_logprobs`` for alternatives.
        api: The wire form: ``"auto"``, ``"chat_completions"``, ``"responses"``, ``"messages"``.
        use_previous_response_id: Whether to go on from the last answer that xAI has stored.
        deferred: Whether answers are fetched later; True, or a ``xai_lowcode.PollingOptions``.
        model_kwargs: Further options; unknown ones are members of the request body.

    Key init args — client params:
        api_token: The account's token, also as ``api_key``; default ``LOWCODEAPI_API_TOKEN``.
        base_url: The gateway, also as ``api_base``; default ``LOWCODEAPI_BASE_URL``, then hosted.
        timeout: Seconds: a number, a tuple or an ``httpx.Timeout``; default 1200 to read.
        max_retries: How often a failed request is made again; default 2.
        deadline: Seconds for a whole call with all its attempts; default none.
        max_concurrency: Requests in flight at one time; default no limit.
        proxy: URL of a proxy; default that of the environment, ``""`` for none.
        verify: File or directory of CA certificates, or an ``ssl.SSLContext``.
        max_response_bytes: Limit of one response in bytes; default 256 MiB.
        http_client: An ``httpx.Client`` to send with; ``http_async_client`` for the async methods.

    All can be set for one call as well: ``llm.invoke("Hello", model="grok-4.3")``.

    Instantiate:
        ```python
        from langchain_xai_lowcode import ChatXAILowCode

        llm = ChatXAILowCode(model="grok-4.7", temperature=0.2, max_retries=3)
        ```

    Invoke:
        ```python
        messages = [("system", "Translate to French."), ("human", "I love programming.")]
        print(llm.invoke(messages).text)
        ```

    Stream:
        ```python
        for chunk in llm.stream(messages):
            print(chunk.text, end="")
        ```

        Chunks add up to the whole message: ``full = full + chunk``.

    Async:
        ```python
        import asyncio

        async def talk() -> None:
            print((await llm.ainvoke(messages)).text)
            async for chunk in llm.astream(messages):
                print(chunk.text, end="")
            print(len(await llm.abatch([messages, messages])))

        asyncio.run(talk())
        ```

    Tool calling:
        ```python
        def get_weather(city: str) -> str:
            '''Get the weather in a city.'''
            return f"Sunny in {city}."

        answer = llm.bind_tools([get_weather]).invoke("How is the weather in 'Vienna'?")
        print(answer.tool_calls[0]["args"])  # {'city': 'Vienna'}
        ```

        See ``bind_tools`` for choosing a tool, and LangChain's ``create_agent`` for the loop.

    Tools that xAI runs:
        ```python
        from langchain_xai_lowcode import web_search

        answer = llm.bind_tools([web_search()]).invoke("Search the web for Grok.")
        for source in answer.content_blocks[-1]["annotations"]:
            print(source["url"])
        ```

    Structured output:
        ```python
        from pydantic import BaseModel

        class Person(BaseModel):
            name: str
            age: int

        print(llm.with_structured_output(Person).invoke("Who is 'Ada', who is 36?"))
        ```

    Reasoning:
        ```python
        answer = llm.invoke("What is 3 ** 3?", model="grok-4.3", reasoning_effort="high")
        print([block["type"] for block in answer.content_blocks])  # ['reasoning', 'text']
        ```

        Not every model tells its thoughts. Put messages back into the history as they are: what xAI
        said goes back verbatim, over ``api="responses"`` also its encrypted thoughts
        (``include=["reasoning.encrypted_content"]``).

    Image input:
        ```python
        import base64
        from pathlib import Path

        from langchain_core.messages import HumanMessage

        data = base64.b64encode(Path("fox.png").read_bytes()).decode()
        picture = {"type": "image", "base64": data, "mime_type": "image/png"}
        print(llm.invoke([HumanMessage([{"type": "text", "text": "What is this?"}, picture])]).text)
        ```

        ``{"type": "image", "url": …}`` and OpenAI's ``image_url`` are taken as well; documents are
        ``{"type": "file", …}``.

    Token usage:
        ```python
        answer = llm.invoke(messages)
        print(answer.usage_metadata["total_tokens"], answer.usage_metadata["output_token_details"])
        print(answer.response_metadata["cost_usd"], "USD")
        ```

        Streams have it in their last chunk. Output counts reasoning. ``get_num_tokens`` asks the
        service's tokenizer before anything is sent.

    Logprobs:
        ```python
        answer = llm.invoke(messages, model="grok-3", logprobs=True)
        print(answer.response_metadata["logprobs"]["content"][0]["token"])
        ```

        Newer models leave them out.

    Response metadata:
        ```python
        told = llm.invoke(messages).response_metadata
        print(told["model_name"], told["finish_reason"])
        ```

    Errors are LangChain's (``ModelRateLimitError``…) and this package's (``xai_lowcode.errors``) at
    once; the token is in none of them, and in no print, dump or trace.
    """

    _limited_by_langchain: ClassVar[bool] = True

    @model_validator(mode="after")
    def _stream_nothing_deferred(self) -> Self:
        with langchain_errors():
            if parse_polling(self.deferred) is not None:
                self.disable_streaming = True
        return self

    @model_validator(mode="after")
    def _set_xai_lowcode_version(self) -> Self:
        self._add_version("xai-lowcode", __version__)
        return self

    # --- asking ---------------------------------------------------------------------------------

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - the base's signature
        **kwargs: Any,
    ) -> ChatResult:
        with langchain_errors():
            request, deferral = self._request(messages, stop, kwargs), self._deferral(kwargs)
            reply = self._gateway.generate(request, deferral)
        return self._to_result(reply, request)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - as above
        **kwargs: Any,
    ) -> ChatResult:
        with langchain_errors():
            request, deferral = self._request(messages, stop, kwargs), self._deferral(kwargs)
            reply = await self._gateway.agenerate(request, deferral)
        return self._to_result(reply, request)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with langchain_errors():
            request = self._stream_request(messages, stop, kwargs)
            maker = ChunkBuilder(stored=request.store is not False)
            with closing(self._gateway.stream(request)) as events:
                for event in events:
                    if (chunk := maker.feed(event)) is not None:
                        if run_manager is not None and run_manager.handlers:
                            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
            yield maker.last()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        with langchain_errors():
            request = self._stream_request(messages, stop, kwargs)
            maker = ChunkBuilder(stored=request.store is not False)
            async with aclosing(self._gateway.astream(request)) as events:
                async for event in events:
                    if (chunk := maker.feed(event)) is not None:
                        if run_manager is not None and run_manager.handlers:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
            yield maker.last()

    def _to_result(self, reply: ChatResponse, request: ChatRequest) -> ChatResult:
        return to_result(
            reply,
            stored=request.store is not False,
            with_headers=self.include_response_headers,
        )

    # --- what LangChain wants to know -----------------------------------------------------------

    @property
    def _llm_type(self) -> str:
        return "xai-lowcode-chat"

    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        return sum_token_usage(llm_outputs)

    def _get_invocation_params(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        # LangChain asks for these first, and then tells them to tracers.
        self._refuse_credentials(kwargs)
        return super()._get_invocation_params(stop=stop, **kwargs)

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        default = [self.stop] if isinstance(self.stop, str) else self.stop
        params = super()._get_ls_params(stop=stop or default, **kwargs)
        # The same word as in the messages: LangChain believes their usage only then.
        params["ls_provider"] = MODEL_PROVIDER
        return params

    def _resolve_model_profile(self) -> ModelProfile | None:
        known = get_profile(self.model)
        sees = "image" in known.inputs
        return ModelProfile(
            max_input_tokens=known.context_window,
            text_inputs=True,
            image_inputs=sees,
            image_url_inputs=sees,
            image_tool_message=sees,
            audio_inputs=False,
            video_inputs=False,
            text_outputs=True,
            reasoning_output=known.reasons,
            reasoning_effort_levels=list(known.efforts),
            tool_calling=True,
            tool_choice=True,
            # Messages have no response formats.
            structured_output=self.api != "messages",
        )

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Where LangChain finds the class when it loads a dump."""
        return ["langchain_xai_lowcode", "chat_models"]
