"""The chat model as a runnable: chains, fallbacks, retries, configuration, batches, history."""

from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.exceptions import (
    ModelAPIError,
    ModelConnectionError,
    ModelRateLimitError,
    ModelTimeoutError,
)
from langchain_core.output_parsers import (
    CommaSeparatedListOutputParser,
    JsonOutputParser,
    PydanticOutputParser,
    StrOutputParser,
)
from langchain_core.output_parsers.openai_tools import JsonOutputToolsParser, PydanticToolsParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import (
    ConfigurableField,
    RunnableBranch,
    RunnableParallel,
    RunnablePassthrough,
)
from langchain_core.runnables.history import RunnableWithMessageHistory
from pydantic import BaseModel

from tests.core.counting_transport import barrier_clients
from tests.langchain.helpers import (
    APIS,
    SYNC_AND_ASYNC,
    Chat,
    collect_stream,
    create_chat,
    get_weather,
    run,
)
from xai_lowcode.emulator import Drop, EndStreamEarly, Refuse, running
from xai_lowcode.errors import BadRequestError, InternalServerError, XAILowCodeError

TRANSIENT = (ModelRateLimitError, ModelAPIError, ModelConnectionError, ModelTimeoutError)
ONCE, OTHER = "grok-4.3", "grok-4.7"


class Report(BaseModel):
    """A weather report."""

    city: str
    sunny: bool


def models(gateway: Any) -> list[str]:
    """Return the models of all requests, in order."""
    return [request.body["model"] for request in gateway.requests]


# --- chains and parsers --------------------------------------------------------------------------


@SYNC_AND_ASYNC
async def test_a_chain_of_prompt_model_and_parser(chat: Chat, *, use_async: bool) -> None:
    """A chain of prompt, model and parser returns and streams text."""
    prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "{question}")])
    chain = prompt | chat() | StrOutputParser()
    chunks = await collect_stream(chain, {"question": "Hello"}, use_async=use_async)
    assert "".join(chunks) == await run(chain, {"question": "Hello"}, use_async=use_async)
    assert len(chunks) > 3


@SYNC_AND_ASYNC
async def test_parallel_and_branching_chains(gateway: Any, chat: Chat, *, use_async: bool) -> None:
    """Parallel, passthrough and branch runnables work with the model."""
    model_and_parser = chat(model=ONCE) | StrOutputParser()
    parallel = RunnableParallel(
        first=model_and_parser, second=chat(model=OTHER) | StrOutputParser()
    )
    answers = await run(parallel, "Hello", use_async=use_async)
    assert answers.keys() == {"first", "second"}
    assert sorted(models(gateway)) == [ONCE, OTHER]
    histories = RunnablePassthrough.assign(
        answer=(lambda given: given["question"]) | model_and_parser
    )
    answer = await run(histories, {"question": "Hello"}, use_async=use_async)
    assert answer == {"question": "Hello", "answer": answers["first"]}
    branch = RunnableBranch((lambda text: "?" in text, chat(model=OTHER)), chat(model=ONCE))
    await run(branch, "Who?", use_async=use_async)
    await run(branch, "Hello", use_async=use_async)
    assert models(gateway)[-2:] == [OTHER, ONCE]


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_output_parsers(chat: Chat, api: str, *, use_async: bool) -> None:
    """LangChain's parsers of lists, JSON, objects and tool calls work, plain and streamed."""
    llm = create_chat(chat, api)
    text_list: Any = llm | CommaSeparatedListOutputParser()
    assert (await run(text_list, "Say 'foxes, owls'.", use_async=use_async)) == ["foxes", "owls"]
    parser = PydanticOutputParser(pydantic_object=Report)
    prompt = ChatPromptTemplate.from_messages([("system", "{wish}"), ("user", "Sunny in 'Rome'?")])
    chain = prompt.partial(wish=parser.get_format_instructions()) | llm | parser
    assert (await run(chain, {}, use_async=use_async)).city == "Rome"
    called = llm.bind_tools([Report], tool_choice="any")
    chunks = await collect_stream(
        called | JsonOutputToolsParser(), "Sunny in 'Rome'?", use_async=use_async
    )
    assert chunks[-1][0]["args"] == {"city": "Rome", "sunny": True}
    chain = called | PydanticToolsParser(tools=[Report], first_tool_only=True)
    assert await run(chain, "Sunny in 'Rome'?", use_async=use_async) == Report(
        city="Rome", sunny=True
    )


@SYNC_AND_ASYNC
async def test_structured_output_is_streamed(chat: Chat, *, use_async: bool) -> None:
    """Streamed structured output yields partial dicts."""
    for llm in (
        chat(model=ONCE).with_structured_output(Report.model_json_schema()),
        chat(model=ONCE).bind(response_format={"type": "json_object"}) | JsonOutputParser(),
    ):
        chunks = await collect_stream(llm, "Give 'city' and 'sunny' as JSON.", use_async=use_async)
        assert chunks[-1].keys() == {"city", "sunny"}
        assert len(chunks) > 1


# --- errors --------------------------------------------------------------------------------------


@SYNC_AND_ASYNC
@pytest.mark.parametrize("fault", [Refuse(503, "Busy"), Refuse(400, "No."), Drop()])
async def test_fallbacks(gateway: Any, chat: Chat, fault: Any, *, use_async: bool) -> None:
    """After an error the fallback model responds, plain, streamed, with tools and a schema."""
    llm: Any = chat(model=ONCE, max_retries=0).with_fallbacks([chat(model=OTHER)])
    question = "How is the weather in 'Rome'?"
    for runnable in (llm, llm.bind_tools([get_weather]), llm.with_structured_output(Report)):
        gateway.inject(fault)
        assert await run(runnable, question, use_async=use_async)
        gateway.inject(fault)
        assert await collect_stream(runnable, question, use_async=use_async)
    assert models(gateway) == [ONCE, OTHER] * 6


@SYNC_AND_ASYNC
async def test_a_started_stream_has_no_fallback(
    gateway: Any, chat: Chat, *, use_async: bool
) -> None:
    """An error after the first chunk is raised, since chunks were already yielded."""
    gateway.inject(EndStreamEarly(after_chunks=12))
    llm = chat(max_retries=0).with_fallbacks([chat(model=OTHER)])
    with pytest.raises(ModelConnectionError):
        await collect_stream(llm, "Hello", use_async=use_async)
    assert len(gateway.requests) == 1


@SYNC_AND_ASYNC
async def test_with_retry_retries_transient_errors(
    gateway: Any, chat: Chat, *, use_async: bool
) -> None:
    """``with_retry`` with LangChain's transient error classes retries these only."""
    llm: Any = chat(max_retries=0).with_retry(
        retry_if_exception_type=TRANSIENT, wait_exponential_jitter=False
    )
    for fault in (Refuse(503, "Busy"), Drop()):
        gateway.inject(fault)
    assert (await run(llm, "Hello", use_async=use_async)).text
    assert len(gateway.requests) == 3
    gateway.reset()
    gateway.inject(Refuse(400, "No."))
    with pytest.raises(BadRequestError) as refusal:
        await run(llm, "Hello", use_async=use_async)
    assert (refusal.value.is_retryable, len(gateway.requests)) == (False, 1)
    for _ in range(3):
        gateway.inject(Refuse(503, "Busy"))
    with pytest.raises(InternalServerError):
        await run(llm, "Hello", use_async=use_async)
    assert len(gateway.requests) == 4


# --- options of calls, bindings and configurations -----------------------------------------------


@SYNC_AND_ASYNC
async def test_the_model_is_an_option_of_a_call(
    gateway: Any, chat: Chat, *, use_async: bool
) -> None:
    """The model can be set by keyword and binding, with tools and a schema."""
    llm: Any = chat(model=ONCE)
    answer = await run(llm, "Hello", use_async=use_async, model=OTHER)
    assert answer.response_metadata["model_name"] == OTHER
    for runnable in (
        llm.bind(model=OTHER),
        llm.bind_tools([get_weather], model=OTHER),
        llm.with_structured_output(Report, model=OTHER),
    ):
        await run(runnable, "Is it sunny in 'Rome'?", use_async=use_async)
        await collect_stream(runnable, "Is it sunny in 'Rome'?", use_async=use_async)
    assert set(models(gateway)) == {OTHER}
    assert llm.model == ONCE


@SYNC_AND_ASYNC
async def test_fields_are_configurable(gateway: Any, chat: Chat, *, use_async: bool) -> None:
    """Model and temperature can be configured, also of streams."""
    llm: Any = chat(model=ONCE, max_tokens=900).configurable_fields(
        model=ConfigurableField(id="model"), temperature=ConfigurableField(id="heat")
    )
    for configured in ({}, {"model": OTHER, "heat": 0.5}):
        config: Any = {"configurable": configured}
        plain = await run(llm, "Hello", config, use_async=use_async)
        chunks = await collect_stream(llm, "Hello", use_async=use_async, config=config)
        assert "".join(chunk.text for chunk in chunks) == plain.text
        assert len(chunks) > 3
        for request in gateway.requests[-2:]:
            assert request.body["model"] == configured.get("model", ONCE)
            assert request.body.get("temperature") == configured.get("heat")
            assert request.body["max_output_tokens"] == 900
        assert gateway.requests[-1].body["stream"] is True


@SYNC_AND_ASYNC
async def test_alternatives_are_configurable(gateway: Any, chat: Chat, *, use_async: bool) -> None:
    """A configurable chain selects one of several models."""
    llm = chat(model=ONCE).configurable_alternatives(
        ConfigurableField(id="llm"),
        default_key="small",
        big=chat(model=OTHER),
    )
    chain: Any = llm | StrOutputParser()
    for key in ("small", "big"):
        config: Any = {"configurable": {"llm": key}}
        text = await run(chain, "Hello", config, use_async=use_async)
        assert (
            "".join(await collect_stream(chain, "Hello", use_async=use_async, config=config))
            == text
        )
    assert models(gateway)[::2] == [ONCE, OTHER]


@SYNC_AND_ASYNC
async def test_tags_and_metadata_reach_the_callbacks(
    gateway: Any, chat: Chat, *, use_async: bool
) -> None:
    """Callbacks get tags and metadata of model, binding and call; none is sent."""

    class StartRecorder(BaseCallbackHandler):
        def on_chat_model_start(self, *_args: Any, **options: Any) -> None:
            self.started = (set(options["tags"]), options["metadata"], options["name"])

    recorder = StartRecorder()
    llm: Any = chat(tags=["a"], metadata={"of": "model"}).with_config(tags=["b"], run_name="talk")
    config = {"callbacks": [recorder], "tags": ["c"], "metadata": {"call": 1}}
    await run(llm, "Hello", config, use_async=use_async)
    tags, metadata, name = recorder.started
    assert (tags, name) == ({"a", "b", "c"}, "talk")
    assert metadata.items() >= {"of": "model", "call": 1, "ls_model_name": "grok-4.7"}.items()
    assert gateway.requests[0].body.keys() == {"model", "input", "store", "include"}


# --- batches -------------------------------------------------------------------------------------


@SYNC_AND_ASYNC
async def test_batches_keep_their_order_and_concurrency(
    gateway: Any, chat: Chat, *, use_async: bool
) -> None:
    """Batches keep their order, with max_concurrency and without."""
    gateway.latency = 0.05
    questions, answers = [f"Say 'number {i}'." for i in range(6)], [f"number {i}" for i in range(6)]
    async with barrier_clients(2) as (clients, requests):
        llm, config = chat(**clients) | StrOutputParser(), {"max_concurrency": 2}
        assert answers == (
            await llm.abatch(questions, config) if use_async else llm.batch(questions, config)
        )
        assert (requests.maximum, requests.total) == (2, 6)
    async with barrier_clients(6) as (clients, requests):
        llm = chat(**clients) | StrOutputParser()
        if use_async:
            done = [pair async for pair in llm.abatch_as_completed(questions)]
        else:
            done = list(llm.batch_as_completed(questions))
        assert dict(done) == dict(enumerate(answers))
        assert (requests.maximum, requests.total) == (6, 6)


@SYNC_AND_ASYNC
async def test_return_exceptions_of_a_batch(chat: Chat, *, use_async: bool) -> None:
    """With return_exceptions, errors are returned with the responses; else the first is raised.

    The test has its own emulator, since remaining requests may reach it after the test.
    """
    for instruction in (True, False):
        with running() as own:
            own.inject(Refuse(400, "No."))
            llm: Any = chat(api_token=own.api_token, base_url=own.base_url, max_retries=0)
            arguments = {"inputs": ["Hello"] * 3, "return_exceptions": instruction}
            if instruction:
                answers = await llm.abatch(**arguments) if use_async else llm.batch(**arguments)
                failed = [isinstance(answer, XAILowCodeError) for answer in answers]
                assert sorted(failed) == [False, False, True]
            else:
                with pytest.raises(BadRequestError):
                    _ = await llm.abatch(**arguments) if use_async else llm.batch(**arguments)


# --- histories -----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainDeprecationWarning")
@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_message_histories_of_sessions(
    gateway: Any, chat: Chat, api: str, *, use_async: bool
) -> None:
    """`RunnableWithMessageHistory` sends earlier turns, streamed responses included."""
    histories: dict[str, InMemoryChatMessageHistory] = {}
    prompt = ChatPromptTemplate.from_messages(
        [("system", "Be brief."), MessagesPlaceholder("history"), ("user", "{question}")]
    )
    chain_with_history: Any = RunnableWithMessageHistory(
        prompt | create_chat(chat, api),
        lambda session: histories.setdefault(session, InMemoryChatMessageHistory()),
        input_messages_key="question",
        history_messages_key="history",
    )
    for session in ("a", "b", "a"):
        config: Any = {"configurable": {"session_id": session}}
        await collect_stream(
            chain_with_history,
            {"question": f"Say '{session}'."},
            use_async=use_async,
            config=config,
        )
        answer = await run(chain_with_history, {"question": "Hello"}, config, use_async=use_async)
        assert answer.text
    assert [len(histories[session].messages) for session in "ab"] == [8, 4]
    sent = gateway.requests[-1].body
    assert len([m for m in sent.get("messages", sent.get("input")) if m.get("role") == "user"]) == 4
    assert "Say 'b'." not in str(sent)
