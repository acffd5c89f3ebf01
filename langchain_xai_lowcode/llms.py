"""``XAILowCodeLLM``: Grok as a LangChain model of plain text, prompt in and continuation out."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseLLM, LangSmithParams
from langchain_core.messages import HumanMessage
from langchain_core.outputs import Generation, GenerationChunk, LLMResult
from langchain_core.runnables.config import ContextThreadPoolExecutor

from langchain_xai_lowcode._counting import TokenCounting
from langchain_xai_lowcode._errors import langchain_errors
from langchain_xai_lowcode._generations import GenerationMaker, to_llm_result
from langchain_xai_lowcode._output import MODEL_PROVIDER
from xai_lowcode.chat.profiles import get_profile
from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import ChatRequest, PollingOptions
from xai_lowcode.types.responses import ChatResponse

Via = Literal["auto", "completions", "chat"]

_WAYS = ("auto", "completions", "chat")


class XAILowCodeLLM(TokenCounting, BaseLLM):
    """Grok for prompts that are plain texts, through the LowCodeAPI gateway.

    For old chains; new ones are better off with ``ChatXAILowCode``, whose fields this class has
    too. Prompts of a batch are asked at the same time.

    Setup:
        ``pip install 'xai-lowcode[langchain]'``, and the token of your LowCodeAPI account in
        ``LOWCODEAPI_API_TOKEN``.

    Key init args — completion params:
        model: Name of the model; default ``"grok-4.7"``.
        via: How prompts are asked: ``"completions"``, ``"chat"``, or ``"auto"``.
        temperature, max_tokens, stop, …: As those of ``ChatXAILowCode``.

    Key init args — client params:
        api_token, base_url, timeout, max_retries, …: As those of ``ChatXAILowCode``.

    Instantiate:
        ```python
        from langchain_xai_lowcode import XAILowCodeLLM

        llm = XAILowCodeLLM(model="grok-4.7", stop=["!"])
        ```

    Invoke:
        ```python
        print(llm.invoke("The sky is"))
        ```

    Stream:
        ```python
        for text in llm.stream("Count to three:"):
            print(text, end="")
        ```

    Async:
        ```python
        import asyncio

        print(asyncio.run(llm.ainvoke("The sky is")))
        ```

    Token usage:
        ```python
        told = llm.generate(["The sky is", "The sea is"])
        print(told.llm_output["token_usage"]["total_tokens"])
        ```
    """

    via: Via = "auto"
    """How prompts are asked.

    ``"completions"``: by xAI's legacy endpoint, which goes on where the prompt ends; models that
    reason refuse it. ``"chat"``: as the message of a user, which any model answers. ``"auto"``:
    chat for models that reason, as nearly all of them do, and for deferred answers.
    """

    # --- asking ---------------------------------------------------------------------------------

    def _generate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        with langchain_errors():
            requests, deferral = self._requests(prompts, stop, kwargs), self._deferral(kwargs)
            if self._streams_inside(requests, deferral):
                return _folded(list(self._stream(prompts[0], stop, run_manager, **kwargs)))
            if len(requests) == 1:
                replies = [self._gateway.generate(requests[0], deferral)]
            else:
                replies = self._all(requests, deferral)
        return to_llm_result(replies, with_headers=self.include_response_headers)

    async def _agenerate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        with langchain_errors():
            requests, deferral = self._requests(prompts, stop, kwargs), self._deferral(kwargs)
            if self._streams_inside(requests, deferral):
                chunks = self._astream(prompts[0], stop, run_manager, **kwargs)
                return _folded([chunk async for chunk in chunks])
            replies = await self._aall(requests, deferral)
        return to_llm_result(replies, with_headers=self.include_response_headers)

    def _stream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[GenerationChunk]:
        with langchain_errors():
            if self._answers_in_one_piece(kwargs):
                (request,) = self._requests([prompt], stop, kwargs)
                reply = self._gateway.generate(request, self._deferral(kwargs))
                yield from _in_one_piece(reply)
                return
            maker = GenerationMaker()
            with closing(self._gateway.stream(self._streamed(prompt, stop, kwargs))) as events:
                for event in events:
                    if (chunk := maker.feed(event)) is not None:
                        if run_manager is not None:
                            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
            yield maker.last()

    async def _astream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[GenerationChunk]:
        with langchain_errors():
            if self._answers_in_one_piece(kwargs):
                (request,) = self._requests([prompt], stop, kwargs)
                reply = await self._gateway.agenerate(request, self._deferral(kwargs))
                for piece in _in_one_piece(reply):
                    yield piece
                return
            maker = GenerationMaker()
            request = self._streamed(prompt, stop, kwargs)
            async with aclosing(self._gateway.astream(request)) as events:
                async for event in events:
                    if (chunk := maker.feed(event)) is not None:
                        if run_manager is not None:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
            yield maker.last()

    # --- what is asked --------------------------------------------------------------------------

    def _requests(
        self, prompts: Sequence[str], stop: list[str] | None, call: Mapping[str, Any]
    ) -> list[ChatRequest]:
        routed = self._routed(call)
        return [self._request([HumanMessage(prompt)], stop, routed) for prompt in prompts]

    def _streamed(
        self, prompt: str, stop: list[str] | None, call: Mapping[str, Any]
    ) -> ChatRequest:
        return self._stream_request([HumanMessage(prompt)], stop, self._routed(call))

    def _routed(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a call with the wire form that ``via`` means."""
        options = dict(call)
        via = options.pop("via", self.via)
        if via not in _WAYS:
            raise UsageError(f"via: one of {', '.join(_WAYS)} is needed, not {via!r}.", field="via")
        known = {"model": self.model, "api": self.api, **self.model_kwargs, **options}
        if known["api"] != "auto":
            return options
        if via == "auto":
            chats = get_profile(known["model"]).reasons or self._deferral(call) is not None
            via = "chat" if chats else "completions"
        return options if via == "chat" else {**options, "api": "completions"}

    def _answers_in_one_piece(self, call: Mapping[str, Any]) -> bool:
        """Whether a stream is not to be one: said so on the model, or answers are deferred."""
        return self.streaming is False or self._deferral(call) is not None

    def _streams_inside(
        self, requests: Sequence[ChatRequest], deferral: PollingOptions | None
    ) -> bool:
        alone = len(requests) == 1 and (requests[0].n or 1) == 1
        return bool(self.streaming) and alone and deferral is None

    # --- several prompts at the same time -------------------------------------------------------

    def _all(
        self, requests: Sequence[ChatRequest], deferral: PollingOptions | None
    ) -> list[ChatResponse]:
        with ContextThreadPoolExecutor() as pool:
            return list(pool.map(lambda each: self._gateway.generate(each, deferral), requests))

    async def _aall(
        self, requests: Sequence[ChatRequest], deferral: PollingOptions | None
    ) -> list[ChatResponse]:
        asking = [
            asyncio.ensure_future(self._gateway.agenerate(each, deferral)) for each in requests
        ]
        try:
            return await asyncio.gather(*asking)
        finally:
            # After a failure the others would go on, and be paid for.
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    # --- what LangChain wants to know -----------------------------------------------------------

    @property
    def _llm_type(self) -> str:
        return "xai-lowcode-llm"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """What tells apart two models in caches and traces; never the token."""
        return {**super()._identifying_params, "via": self.via}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        # LangChain asks for these before it tells a tracer of the call.
        self._refuse_credentials(kwargs)
        default = [self.stop] if isinstance(self.stop, str) else self.stop
        params = super()._get_ls_params(stop=stop or default, **kwargs)
        params["ls_provider"] = MODEL_PROVIDER
        return params

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Where LangChain finds the class when it loads a dump."""
        return ["langchain_xai_lowcode", "llms"]


def _in_one_piece(reply: ChatResponse) -> Iterator[GenerationChunk]:
    result = to_llm_result([reply], with_headers=False)
    (generation,) = result.generations[0]
    info = {**(generation.generation_info or {}), **(result.llm_output or {})}
    yield GenerationChunk(text=generation.text, generation_info=info)


def _folded(chunks: Sequence[GenerationChunk]) -> LLMResult:
    first, *rest = chunks
    for chunk in rest:
        first += chunk
    told = dict(first.generation_info or {})
    output: dict[str, Any] = {
        name: told.pop(name) for name in ("token_usage", "cost_usd") if name in told
    }
    output["model_name"] = told.get("model_name", "")
    return LLMResult(
        generations=[[Generation(text=first.text, generation_info=told)]], llm_output=output
    )
