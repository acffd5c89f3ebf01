"""Errors: classes and messages of the core, raised by every method, without the token."""

import pickle
import traceback
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage

from llama_index_xai_lowcode import XAILowCode
from xai_lowcode import errors
from xai_lowcode.emulator import (
    CutStream,
    Drop,
    Empty,
    EndStreamEarly,
    ErrorIn200,
    ErrorInStream,
    Html,
    Refuse,
)

FAULTS = [
    (Refuse(400, "Bad thing."), errors.BadRequestError, 400, "Bad thing"),
    (Refuse(403, "Not you.", source="gateway"), errors.PermissionDeniedError, 403, "Not you"),
    (Refuse(404, "No such thing."), errors.NotFoundError, 404, "No such thing"),
    (Refuse(429, "Too many."), errors.RateLimitError, 429, "Too many"),
    (Refuse(500, "Broken."), errors.InternalServerError, 500, "Broken"),
    (ErrorIn200("Timed out."), errors.XAILowCodeError, None, "Timed out"),
    (Html(), errors.InternalServerError, 502, "Bad gateway"),
    (Html(200), errors.InvalidResponseError, None, "not JSON"),
    (Empty(), errors.InvalidResponseError, None, "empty"),
    (Drop(), errors.APIConnectionError, None, "No response"),
]
BROKEN_STREAMS = [
    (CutStream(), errors.XAILowCodeError),
    (EndStreamEarly(), errors.StreamInterruptedError),
    (ErrorInStream(error="Went wrong."), errors.XAILowCodeError),
]


def check(error: errors.XAILowCodeError, gateway: Any) -> None:
    """Check that the error has no token, also after pickling."""
    details = "".join(traceback.format_exception(error)) + repr(vars(error))
    assert gateway.api_token not in details
    assert len(str(error)) < 500
    assert "<html" not in str(error).lower()
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes


@pytest.mark.parametrize("method", ["chat", "complete", "stream_chat", "stream_complete"])
@pytest.mark.parametrize("case", FAULTS, ids=lambda case: repr(case[0]).partition(",")[0])
def test_faults(sync_async: Any, gateway: Any, llm: XAILowCode, method: str, case: Any) -> None:
    """Each fault raises the same error in every method."""
    fault, kind, status, text = case
    gateway.inject(fault)
    question: Any = [ChatMessage("Hi")] if method.endswith("chat") else "Hi"
    with pytest.raises(kind, match=text) as caught:
        (sync_async.stream if method.startswith("stream") else sync_async.call)(
            llm, method, question
        )
    assert status in {None, caught.value.status_code}
    check(caught.value, gateway)


@pytest.mark.parametrize(("fault", "kind"), BROKEN_STREAMS)
def test_broken_streams(
    sync_async: Any, gateway: Any, llm: XAILowCode, fault: Any, kind: type
) -> None:
    """An interrupted stream raises an error."""
    gateway.inject(fault)
    with pytest.raises(kind) as caught:
        sync_async.stream(llm, "stream_chat", [ChatMessage("Hello there, tell a long story")])
    check(caught.value, gateway)


@pytest.mark.parametrize(("token", "status"), [("wrong_form", 401), ("at_rffffffffffffff", 403)])
def test_wrong_tokens(sync_async: Any, model: Any, hello: Any, token: str, status: int) -> None:
    """The token of a rejected request is not in the error, though it is in the response."""
    with pytest.raises(errors.AuthenticationError) as caught:
        sync_async.call(model(api_token=token), "chat", hello)
    assert caught.value.status_code == status
    details = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert token not in details


def test_an_account_without_an_xai_key(
    sync_async: Any, gateway: Any, model: Any, hello: Any
) -> None:
    """The error reports that the account has no xAI key."""
    with pytest.raises(errors.AccountNotConnectedError) as caught:
        sync_async.call(model(api_token=gateway.unconnected_token), "chat", hello)
    assert gateway.unconnected_token not in repr(vars(caught.value))


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_retries_do_not_multiply(
    sync_async: Any, gateway: Any, model: Any, hello: Any, retries: int
) -> None:
    """A failing call is retried ``max_retries`` times."""
    gateway.inject(*[Refuse(429, retry_after=0.001) for _ in range(retries + 1)])
    with pytest.raises(errors.RateLimitError):
        sync_async.call(model(max_retries=retries), "chat", hello)
    assert len(gateway.requests) == retries + 1


def test_exhausted_credits_are_not_retried(
    sync_async: Any, gateway: Any, model: Any, hello: Any
) -> None:
    """Exhausted credits are not retried."""
    gateway.inject(
        Refuse(429, "Your team has either used all available credits or reached its limit.")
    )
    with pytest.raises(errors.CreditsExhaustedError):
        sync_async.call(model(max_retries=3), "chat", hello)
    assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    "invalid",
    [{"temperature": "hot"}, {"stop": [""]}, {"response_format": "json"}, {"tools": ["f"]}],
)
def test_invalid_requests(gateway: Any, sync_async: Any, llm: XAILowCode, invalid: Any) -> None:
    """An invalid request raises an error at the call, of streams too; nothing is sent."""
    with pytest.raises(errors.UsageError) as caught:
        llm.stream_chat([ChatMessage("Hi")], **invalid)
    assert caught.value.field == next(iter(invalid))
    with pytest.raises(errors.UsageError):
        sync_async.call(llm, "chat", [ChatMessage("Hi")], **invalid)
    assert not gateway.requests


def test_no_messages(sync_async: Any, llm: XAILowCode) -> None:
    """An empty conversation raises an error."""
    with pytest.raises(errors.UsageError, match="messages"):
        sync_async.call(llm, "chat", [])
