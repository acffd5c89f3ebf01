"""The model of plain text: one text, whichever way it is asked, whole, in pieces and in batches."""

import asyncio
import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps, loads
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import LLMResult
from langchain_core.prompts import PromptTemplate
from pydantic import ValidationError

from langchain_xai_lowcode import XAILowCodeLLM
from xai_lowcode import PollingOptions
from xai_lowcode.emulator import CutStream, Refuse
from xai_lowcode.errors import (
    BadRequestError,
    RateLimitError,
    StreamInterruptedError,
    UsageError,
)

REASONS, PLAIN = "grok-4.3", "grok-4.20-0309-non-reasoning"
SOON = PollingOptions(initial_delay=0.01, max_delay=0.01)
CHAT, COMPLETIONS = "/xai/v1/chat/completions", "/xai/v1/completions"
every_way = pytest.mark.parametrize(
    ("model", "via", "path"),
    [
        (REASONS, "auto", CHAT),
        (PLAIN, "auto", COMPLETIONS),
        (REASONS, "chat", CHAT),
        (PLAIN, "chat", CHAT),
        (PLAIN, "completions", COMPLETIONS),
    ],
)


def llm_of(model: str = PLAIN, **options: Any) -> XAILowCodeLLM:
    return XAILowCodeLLM(model=model, max_retries=0, **options)


def told(result: LLMResult) -> list[list[tuple[str, Any]]]:
    return [[(g.text, g.generation_info) for g in each] for each in result.generations]


@every_way
@pytest.mark.parametrize("streaming", ["live", "buffered", "wrapped", "string"])
async def test_one_text_in_all_ways(
    gateway: Any, model: str, via: str, path: str, streaming: str
) -> None:
    """Invoke, stream, generate, streaming inside, and their twins give one text by one route."""
    gateway.streaming = streaming
    llm, inside = llm_of(model, via=via), llm_of(model, via=via, streaming=True)
    text = llm.invoke("Hello")
    assert text
    assert "".join(llm.stream("Hello")) == text
    assert await llm.ainvoke("Hello") == text
    assert "".join([piece async for piece in llm.astream("Hello")]) == text
    assert inside.invoke("Hello") == await inside.ainvoke("Hello") == text
    assert {request.path for request in gateway.requests} == {path}


@every_way
async def test_facts_and_usage(gateway: Any, model: str, via: str, path: str) -> None:
    """Why it ended, who answered and what it used are told, the same whole and streamed."""
    llm = llm_of(model, via=via)
    plain = llm.generate(["Hello"])
    assert told(await llm.agenerate(["Hello"])) == told(plain)
    streamed = llm_of(model, via=via, streaming=True).generate(["Hello"])
    assert told(streamed) == told(plain)
    info = plain.generations[0][0].generation_info or {}
    assert (info["finish_reason"], info["model_name"]) == ("stop", model)
    assert bool(info.get("reasoning_content")) == (model == REASONS)
    for result in (plain, streamed):
        output = result.llm_output or {}
        usage = output["token_usage"]
        assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"]
        assert usage["completion_tokens"] > 0
        assert output["model_name"] == model
    assert (plain.llm_output or {}) == (streamed.llm_output or {})
    assert {request.path for request in gateway.requests} == {path}


@every_way
async def test_several_prompts_and_answers(gateway: Any, model: str, via: str, path: str) -> None:
    """Prompts of a batch keep their order, each with n answers; usage is the sum."""
    llm = llm_of(model, via=via, n=2)
    prompts = [f"Tell me of number {n}" for n in range(5)]
    result = llm.generate(prompts)
    assert told(await llm.agenerate(prompts)) == told(result)
    single = [llm_of(model, via=via).generate([prompt]) for prompt in prompts]
    for each, alone in zip(result.generations, single, strict=True):
        assert len(each) == 2
        assert each[0].text == alone.generations[0][0].text
    alone_in = sum((one.llm_output or {})["token_usage"]["prompt_tokens"] for one in single)
    assert (result.llm_output or {})["token_usage"]["prompt_tokens"] >= alone_in
    assert llm.batch(prompts) == await llm.abatch(prompts)
    await llm.aclose()
    assert {request.path for request in gateway.requests} == {path}


@every_way
async def test_stop_is_kept(gateway: Any, model: str, via: str, path: str) -> None:
    """Stop strings, of the model or a call, end the text in every way of asking."""
    whole = llm_of(model, via=via).invoke("Hello")
    word = whole.split()[3]
    before = whole.partition(word)[0]
    fixed = llm_of(model, via=via, stop=[word])
    llm = llm_of(model, via=via)
    assert fixed.invoke("Hello") == "".join(fixed.stream("Hello")) == before
    assert await llm.ainvoke("Hello", stop=[word]) == before
    assert "".join([p async for p in llm.astream("Hello", stop=[word])]) == before
    assert {request.path for request in gateway.requests} == {path}


def test_every_option_is_sent(gateway: Any) -> None:
    """Options of the model and of the call are in the body of either endpoint."""
    options = {"temperature": 0.5, "top_p": 0.9, "seed": 3, "user": "u"}
    llm = llm_of(PLAIN, max_tokens=5, model_kwargs={"echo": True}, **options)
    assert llm.invoke("Hello there", temperature=0.1).startswith("Hello there")
    assert gateway.requests[-1].body == {
        "model": PLAIN,
        "prompt": "Hello there",
        "max_tokens": 5,
        "echo": True,
        **options,
        "temperature": 0.1,
    }
    llm_of(REASONS, max_tokens=5, **options).invoke("Hello there")
    assert gateway.requests[-1].body == {
        "model": REASONS,
        "messages": [{"role": "user", "content": "Hello there"}],
        "max_completion_tokens": 5,
        **options,
    }


def test_the_call_may_choose(gateway: Any) -> None:
    """A call's model or way decides; what is no way is refused, naming the field."""
    llm = llm_of(PLAIN)
    llm.invoke("Hello", model=REASONS)
    llm.invoke("Hello", via="chat")
    llm.invoke("Hello", api="responses")
    paths = [request.path for request in gateway.requests]
    assert paths == [CHAT, CHAT, "/xai/v1/responses"]
    with pytest.raises(UsageError) as refusal:
        llm.invoke("Hello", via="post")
    assert refusal.value.field == "via"
    with pytest.raises(ValidationError, match="via"):
        llm_of(PLAIN, via="post")


async def test_deferred_answers(gateway: Any) -> None:
    """A deferred answer is asked for by chat, and a stream gives it in one piece."""
    llm = llm_of(PLAIN, deferred=SOON)
    text = llm_of(PLAIN, via="chat").invoke("Hello")
    assert llm.invoke("Hello") == text == await llm.ainvoke("Hello")
    assert list(llm.stream("Hello")) == [text] == [p async for p in llm.astream("Hello")]
    assert sum(request.path == CHAT for request in gateway.requests) == 5
    with pytest.raises(UsageError, match="deferred"):
        llm_of(PLAIN, via="completions", deferred=SOON).invoke("Hello")


async def test_streaming_can_be_switched_off(gateway: Any) -> None:
    """With ``streaming=False`` a stream is one piece, asked for without one."""
    llm = llm_of(PLAIN, streaming=False)
    text = llm.invoke("Hello")
    assert list(llm.stream("Hello")) == [text] == [p async for p in llm.astream("Hello")]
    assert not any("stream" in request.body for request in gateway.requests)


async def test_errors(gateway: Any) -> None:
    """Refusals, limits and broken streams are the package's errors and LangChain's."""
    with pytest.raises(BadRequestError, match="reasoning") as refusal:
        llm_of(REASONS, via="completions").invoke("Hello")
    assert type(refusal.value).__module__ == "langchain_xai_lowcode._errors"
    gateway.inject(Refuse(429), Refuse(429))
    with pytest.raises(RateLimitError):
        llm_of().invoke("Hello")
    with pytest.raises(RateLimitError):
        await llm_of().ainvoke("Hello")
    gateway.inject(CutStream(after_chunks=2), CutStream(after_chunks=2))
    with pytest.raises(StreamInterruptedError):
        list(llm_of().stream("Hello"))
    with pytest.raises(StreamInterruptedError):
        [_ async for _ in llm_of().astream("Hello")]
    with pytest.raises(UsageError, match="n:"):
        list(llm_of(n=2).stream("Hello"))


async def test_a_failure_ends_the_batch(gateway: Any) -> None:
    """One refused prompt is the error of all, and no task is left to go on and be paid for."""
    prompts, llm = ["Hello"] * 4, llm_of()
    gateway.inject(Refuse(429))
    with pytest.raises(RateLimitError):
        llm.generate(prompts)
    gateway.latency = 0.3
    gateway.inject(Refuse(429))
    with pytest.raises(RateLimitError):
        await llm.agenerate(prompts)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await llm.aclose()


class Listener(BaseCallbackHandler):
    """Keeps what callbacks are told."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.said: list[str] = []

    def on_llm_start(self, serialized: Any, prompts: Any, **kwargs: Any) -> None:
        self.said.append(repr((serialized, prompts, kwargs)))

    def on_llm_new_token(self, token: str, **_kwargs: Any) -> None:
        self.tokens.append(token)


@pytest.mark.parametrize("streaming", [True, None])
async def test_callbacks(gateway: Any, streaming: bool | None) -> None:
    """Callbacks hear each new token and the prompt, and never the token of the gateway."""
    options = {} if streaming is None else {"streaming": streaming}
    llm, ears, async_ears = llm_of(**options), Listener(), Listener()
    if streaming:
        text = llm.invoke("Hello", config={"callbacks": [ears]})
        await llm.ainvoke("Hello", config={"callbacks": [async_ears]})
    else:
        text = "".join(llm.stream("Hello", config={"callbacks": [ears]}))
        [_ async for _ in llm.astream("Hello", config={"callbacks": [async_ears]})]
    for listener in (ears, async_ears):
        assert "".join(listener.tokens) == text
        assert len(listener.tokens) > 3
        assert "Hello" in listener.said[0]
        assert gateway.api_token not in "".join(listener.said)


def test_it_composes(gateway: Any) -> None:
    """A prompt before it and a parser behind it work as for any model."""
    chain = PromptTemplate.from_template("Tell me of {thing}") | llm_of() | StrOutputParser()
    assert "foxes" in chain.invoke({"thing": "foxes"})
    assert gateway.requests[-1].body["prompt"] == "Tell me of foxes"


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
@pytest.mark.parametrize(
    "travel",
    [
        copy.deepcopy,
        copy.copy,
        lambda llm: pickle.loads(pickle.dumps(llm)),  # noqa: S301 - our own bytes
    ],
)
def test_it_travels_without_showing_the_token(gateway: Any, travel: Callable[..., Any]) -> None:
    """Copies, pickles and dumps answer alike; prints, dumps and traces hold no token."""
    llm = llm_of(PLAIN, temperature=0.5)
    text = llm.invoke("Hello")
    assert travel(llm).invoke("Hello") == text
    dump = dumps(llm)
    shown = f"{llm!r}{llm}{dump}{llm.model_dump()}{llm.asdict()}{llm._get_ls_params()}"
    assert gateway.api_token not in shown
    loaded = loads(
        dump,
        allowed_objects=[XAILowCodeLLM],
        valid_namespaces=["langchain_xai_lowcode"],
        secrets_map={"LOWCODEAPI_API_TOKEN": gateway.api_token},
    )
    assert (loaded.invoke("Hello"), loaded.temperature) == (text, 0.5)
    assert llm.asdict()["via"] == "auto"
    assert llm._get_ls_params()["ls_provider"] == "xai-lowcode"
