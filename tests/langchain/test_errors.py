"""Errors are instances of this package's and LangChain's classes, and have no token."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core import exceptions as theirs

from langchain_xai_lowcode import ChatXAILowCode, _errors
from xai_lowcode import errors as ours
from xai_lowcode.emulator import (
    CutStream,
    Drop,
    Empty,
    EndStreamEarly,
    ErrorIn200,
    ErrorInStream,
    Html,
    Redirect,
    Refuse,
)

Chat = Callable[..., ChatXAILowCode]

FAILURES: list[tuple[Any, type[Exception], type[Exception], bool, str]] = [
    (Refuse(400, "Bad thing"), ours.BadRequestError, theirs.ModelInvalidRequestError, False, "Bad"),
    (
        Refuse(400, "This model's maximum prompt length is 10 but the request contains 20 tokens."),
        ours.ContextLengthError,
        theirs.ContextOverflowError,
        False,
        "maximum prompt length",
    ),
    (
        Refuse(400, "Incorrect API key provided."),
        ours.AuthenticationError,
        theirs.ModelAuthenticationError,
        False,
        "console.x.ai",
    ),
    (
        Refuse(400, "Model not found: grok-99"),
        ours.ModelNotFoundError,
        theirs.ModelNotFoundError,
        False,
        "grok-99",
    ),
    (
        Refuse(403, "Content violates usage guidelines."),
        ours.ContentPolicyError,
        theirs.ModelPermissionDeniedError,
        False,
        "guidelines",
    ),
    (
        Refuse(429, "Your team has used all available credits."),
        ours.CreditsExhaustedError,
        theirs.ModelPermissionDeniedError,
        False,
        "credits",
    ),
    (Refuse(429, "Slow down"), ours.RateLimitError, theirs.ModelRateLimitError, True, "Slow down"),
    (Refuse(503, "Busy"), ours.InternalServerError, theirs.ModelAPIError, True, "Busy"),
    (
        Refuse(500, "socket hang up", source="gateway"),
        ours.InternalServerError,
        theirs.ModelAPIError,
        True,
        "socket hang up",
    ),
    (Html(502), ours.InternalServerError, theirs.ModelAPIError, True, "502"),
    (Empty(200), ours.InvalidResponseError, theirs.ModelError, False, "empty"),
    (
        ErrorIn200("Timed out waiting for first token", code="The service is unavailable"),
        ours.InternalServerError,
        theirs.ModelAPIError,
        True,
        "first token",
    ),
    (Redirect("https://elsewhere.example/"), ours.BadRequestError, theirs.ModelError, False, "302"),
    (Drop(), ours.APIConnectionError, theirs.ModelConnectionError, True, "No response"),
]


@pytest.mark.parametrize(("fault", "our_class", "their_class", "retryable", "text"), FAILURES)
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
async def test_each_failure_has_our_class_and_langchains(
    gateway: Any,
    chat: Chat,
    fault: Any,
    our_class: type[Exception],
    their_class: type[Exception],
    text: str,
    way: str,
    *,
    retryable: bool,
) -> None:
    """An error has a class of each package, a message, `is_retryable`, and no token."""
    llm = chat(max_retries=0)
    # A dropped connection may be a stale keep-alive one, so that the request is sent once more.
    gateway.inject(fault, *([fault] if isinstance(fault, Drop) else []))
    with pytest.raises(our_class) as caught:
        await _ask(llm, way)
    error: Any = caught.value
    assert isinstance(error, their_class)
    assert error.is_retryable is retryable
    assert text in str(error)
    assert gateway.api_token not in f"{error!r} {error} {vars(error)} {error.__cause__!r}"


async def _ask(llm: ChatXAILowCode, way: str) -> None:
    match way:
        case "invoke":
            llm.invoke("Hello")
        case "ainvoke":
            await llm.ainvoke("Hello")
        case "stream":
            list(llm.stream("Hello"))
        case _:
            _ = [chunk async for chunk in llm.astream("Hello")]


@pytest.mark.parametrize(
    ("fault", "our_class"),
    [
        (CutStream(after_chunks=3), ours.StreamInterruptedError),
        (CutStream(after_chunks=3, mid_chunk=True), ours.StreamInterruptedError),
        (EndStreamEarly(after_chunks=3), ours.StreamInterruptedError),
        (ErrorInStream(after_chunks=3, error="Invalid arguments"), ours.APIStatusError),
    ],
)
@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_an_interrupted_stream_raises(
    gateway: Any, chat: Chat, fault: Any, our_class: type[Exception], way: str
) -> None:
    """An interrupted stream raises in each method."""
    gateway.inject(fault)
    with pytest.raises(our_class) as caught:
        await _ask(chat(max_retries=0), way)
    assert isinstance(caught.value, theirs.ModelError)


@pytest.mark.parametrize(
    ("token", "our_class", "hint"),
    [
        ("at_r" + "0" * 32, ours.AuthenticationError, "has no such token"),
        ("not-a-gateway-token", ours.AuthenticationError, "at_"),
        (None, ours.AccountNotConnectedError, "connect xAI"),
    ],
)
def test_errors_of_credentials_have_different_hints(
    gateway: Any, chat: Chat, token: str | None, our_class: type[Exception], hint: str
) -> None:
    """A malformed token, an unknown one and a missing xAI key have different errors and hints."""
    used = token or gateway.unconnected_token
    with pytest.raises(our_class, match=hint) as caught:
        chat(api_token=used).invoke("Hello")
    assert used not in str(vars(caught.value))


def test_max_retries_is_the_number_of_retries(gateway: Any, chat: Chat) -> None:
    """Transient errors are retried ``max_retries`` times, permanent ones never."""
    gateway.inject(*[Refuse(503, "Busy", retry_after=0)] * 3)
    with pytest.raises(ours.InternalServerError):
        chat(max_retries=2).invoke("Hello")
    assert len(gateway.requests) == 3
    gateway.requests.clear()
    gateway.inject(Refuse(429, "You used all available credits."))
    with pytest.raises(ours.CreditsExhaustedError):
        chat(max_retries=2).invoke("Hello")
    assert len(gateway.requests) == 1


def test_a_retry_may_succeed(gateway: Any, chat: Chat) -> None:
    """A rate-limited request is retried after the delay that the body has."""
    gateway.inject(Refuse(429, "Slow down", retry_after=0))
    assert chat().invoke("Hello").text
    assert len(gateway.requests) == 2


def test_each_error_class_has_a_class_of_langchain() -> None:
    """Each error class of the core has a subclass that is also LangChain's, and can be pickled."""
    leaves = {
        cls
        for cls in vars(ours).values()
        if isinstance(cls, type) and issubclass(cls, ours.XAILowCodeError)
    } - {ours.XAILowCodeError}
    assert leaves == set(_errors.COUNTERPARTS)
    for core_class, langchain_class in _errors.COUNTERPARTS.items():
        error = langchain_class("text", status_code=400)
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert isinstance(again, core_class)
        assert (str(again), again.status_code) == (str(error), 400)
        assert again.is_retryable == core_class.is_retryable
