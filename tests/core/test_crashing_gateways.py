"""Gateways that crash at URLs of one format or both: how many crashes a process causes.

The emulator closes every connection, refuses new ones for some milliseconds and comes back, with or
without a proxy in front of it that responds with 502 meanwhile.
"""

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from threading import Barrier, Thread
from typing import Any

import pytest

from tests.core.clients import GATEWAY_CLIENTS, SyncGatewayClient, emulator_settings
from tests.core.fake_server import TOKEN
from tests.core.sync_async import open_client
from tests.core.test_call_flow import create_failure, create_response
from xai_lowcode import errors
from xai_lowcode.api.endpoints import (
    CREATE_CHAT_COMPLETION,
    DOWNLOAD_FILE,
    RETRIEVE_MODEL,
    UPDATE_FILE,
)
from xai_lowcode.emulator import Emulator, running
from xai_lowcode.errors import XAILowCodeError
from xai_lowcode.protocol import urls
from xai_lowcode.protocol.call_flow import CallContext, call_flow
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.retry import RetryPolicy
from xai_lowcode.protocol.steps import Call, Outcome, SendRequest, Sleep
from xai_lowcode.protocol.urls import RESTART_PATIENCE, UrlFormatSelector
from xai_lowcode.types.requests import PollingOptions

MODEL = "grok-4.3"
MESSAGES = [{"role": "user", "content": "Hello"}]
POLLING = PollingOptions(timeout=5, initial_delay=0.001, max_delay=0.001)
URL_FORMS = ["new", "old", "both", "old_new_drops", "both_drop"]
SendRequests = Callable[[Any, Emulator], Any]


def retrieve(client: Any, _emulator: Emulator) -> Any:
    return client.call_method("retrieve_model", MODEL).id == MODEL


def delete(client: Any, emulator: Emulator) -> Any:
    return client.call_method("delete_file", emulator.add_file("a.txt", b"a")).deleted


def update(client: Any, emulator: Emulator) -> Any:
    file_id = emulator.add_file("a.txt", b"a")
    return client.call_method("update_file", file_id, filename="b.txt").name == "b.txt"


def download(client: Any, emulator: Emulator) -> Any:
    file_id = emulator.add_file("a.txt", b"a", "text/plain")
    return client.call_method("download_file", file_id).content == b"a"


def deferred(client: Any, _emulator: Emulator) -> Any:
    response = client.call_method(
        "create_chat_completion", model=MODEL, messages=MESSAGES, deferred=True
    )
    return client.call_method("poll_deferred_completion", response["request_id"], POLLING)[
        "choices"
    ]


CALLS: list[SendRequests] = [retrieve, delete, update, download, deferred]


@pytest.fixture(autouse=True)
def _short_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "RESTART_DELAY", 0.002)
    monkeypatch.setattr(urls, "RESTART_DELAY_BEHIND_PROXY", 0.06)


@pytest.fixture(params=URL_FORMS)
def url_forms(request: pytest.FixtureRequest) -> Any:
    """The URL formats that a gateway serves, and those that crash it."""
    return request.param


@pytest.fixture(params=[False, True], ids=["direct", "front"])
def crashing_gateway(request: pytest.FixtureRequest, url_forms: Any) -> Iterator[Emulator]:
    """A gateway that needs 15 ms to restart."""
    with running(url_forms=url_forms, restart_seconds=0.015, front=request.param) as emulator:
        yield emulator


def run_in_child(function: Callable[[], bool]) -> bool:
    """Return the result of a function in a forked child."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if function() else 1)
        except BaseException:  # noqa: BLE001 - the child must not return into the test
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
@pytest.mark.parametrize("kind", GATEWAY_CLIENTS)
def test_a_process_crashes_a_gateway_once(
    crashing_gateway: Emulator, url_forms: str, kind: type[Any], call: SendRequests
) -> None:
    """All calls of all endpoints, also of other clients and forked children, succeed."""
    if url_forms == "both_drop":
        pytest.skip("served in no format; another test counts the crashes")
    settings, crashes = emulator_settings(crashing_gateway), int(url_forms == "old_new_drops")
    with open_client(kind, settings) as client:
        assert call(client, crashing_gateway)
        assert crashing_gateway.crashes == crashes
        # Both clients share what a process knows of a gateway: each call follows each in one.
        for next_call in CALLS if kind is SyncGatewayClient else (call, retrieve):
            assert next_call(client, crashing_gateway)
    for other_kind in GATEWAY_CLIENTS:
        with open_client(other_kind, settings) as client:
            assert call(client, crashing_gateway)
    if hasattr(os, "fork") and kind is SyncGatewayClient and call in {retrieve, deferred}:
        assert run_in_child(lambda: retrieve(SyncGatewayClient(settings), crashing_gateway))
    assert crashing_gateway.crashes == crashes


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
@pytest.mark.parametrize("kind", GATEWAY_CLIENTS)
def test_the_setting_prevents_every_crash(
    crashing_gateway: Emulator, url_forms: str, kind: type[Any], call: SendRequests
) -> None:
    """If the URL format is set, the first call succeeds without a crash, in one request."""
    if url_forms == "both_drop":
        pytest.skip("served in no format")
    url_format = "new" if url_forms == "new" else "old"
    with open_client(
        kind, emulator_settings(crashing_gateway, url_format=url_format, max_retries=0)
    ) as client:
        assert call(client, crashing_gateway)
    assert crashing_gateway.crashes == 0


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
@pytest.mark.parametrize("front", [False, True], ids=["direct", "front"])
def test_a_gateway_that_crashes_in_both_formats(
    monkeypatch: pytest.MonkeyPatch, front: bool, call: SendRequests
) -> None:
    """The error names both formats and the setting; later calls crash the gateway once each."""
    monkeypatch.setattr(urls, "RESTART_PATIENCE", 0.5)
    options = PollingOptions(timeout=30, initial_delay=0.001, max_delay=0.001)
    monkeypatch.setitem(globals(), "POLLING", options)
    with (
        running(url_forms="both_drop", restart_seconds=0.1, front=front) as gateway,
        open_client(SyncGatewayClient, emulator_settings(gateway, max_retries=8)) as client,
    ):
        with pytest.raises(XAILowCodeError) as raised:
            call(client, gateway)
        assert urls.URL_FORMAT_HINT in str(raised.value)
        assert gateway.crashes <= (7 if front else 3)
        crashes = gateway.crashes
        with pytest.raises(XAILowCodeError):
            call(client, gateway)
        assert gateway.crashes <= crashes + 2


@pytest.mark.parametrize("number", [2, 8])
def test_concurrent_threads(number: int) -> None:
    """All calls of concurrent threads succeed, and later calls cause no further crash."""
    with running(url_forms="old_new_drops", restart_seconds=0.015) as gateway:
        settings, start, results = emulator_settings(gateway), Barrier(number), []

        def call_in_thread() -> None:
            with open_client(SyncGatewayClient, settings) as client:
                start.wait()
                results.append(retrieve(client, gateway))

        threads = [Thread(target=call_in_thread) for _ in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [True] * number
        crashes = gateway.crashes
        with open_client(SyncGatewayClient, settings) as client:
            assert retrieve(client, gateway)
        assert gateway.crashes == crashes


@pytest.mark.parametrize("kind", GATEWAY_CLIENTS)
@pytest.mark.parametrize("max_retries", [0, 1, 8])
def test_a_file_that_crashes_the_gateway_is_requested_twice(
    kind: type[Any], max_retries: int
) -> None:
    """A file whose text is a number crashes the gateway, although its URL format worked before."""
    with running(restart_seconds=0.1) as gateway:
        with open_client(kind, emulator_settings(gateway, max_retries=max_retries)) as client:
            assert download(client, gateway)
        number = gateway.add_file("n.txt", b"12345", "text/plain")
        with (
            open_client(kind, emulator_settings(gateway, max_retries=max_retries)) as client,
            pytest.raises(XAILowCodeError) as raised,
        ):
            client.call_method("download_file", number)
        assert 1 <= gateway.crashes <= min(max_retries, 1) + 1
        if max_retries > 1:
            assert gateway.crashes == 2
            assert urls.URL_FORMAT_HINT in str(raised.value)


# --- without sockets ----------------------------------------------------------------------------

DROP, REFUSED = "drop", "refused"
BAD_GATEWAY = create_response(502, b"<html>Bad gateway</html>")


def create_outcome(name: str) -> Outcome:
    if name == "502":
        return BAD_GATEWAY
    if name == "404":
        return create_response(404, {"message": "Not Found"})
    if name == "ok":
        return create_response(200, {"id": "m", "choices": []})
    return create_failure(errors.APIConnectionError, request_sent=name == DROP)


class SimulatedGateway:
    """A gateway that is down for some seconds after each crash, with a virtual clock."""

    def __init__(
        self, downtime: float, *, front: bool, crashing_formats: tuple[str, ...] = ("new",)
    ) -> None:
        self.now, self.up_at, self.crashes = 100.0, 0.0, 0
        self.downtime, self.front, self.crashing_formats = downtime, front, crashing_formats
        self.url_formats: list[str] = []
        self.delays: list[float] = []

    def get_outcome(self, url_format: str, *, has_id: bool) -> str:
        """Return the name of the outcome of a request."""
        if self.now < self.up_at:
            return "502" if self.front else REFUSED
        if has_id and url_format in self.crashing_formats:
            self.crashes += 1
            self.up_at = self.now + self.downtime
            return "502" if self.front else DROP
        return "ok"

    def call(
        self, endpoint: Endpoint[Any], formats: UrlFormatSelector, policy: RetryPolicy
    ) -> bool:
        """Make a call and return whether it succeeded."""
        context = CallContext(policy, formats, TOKEN, lambda: self.now, lambda: 0.5)
        ids = dict.fromkeys(urls.path_parameters(endpoint), "x")
        flow = call_flow(Call(endpoint, ids=ids), context)
        outcome: Outcome | None = None
        try:
            while True:
                step = flow.send(outcome)
                outcome = None
                if isinstance(step, SendRequest):
                    self.url_formats.append(step.url_format)
                    self.now += 0.01
                    outcome = create_outcome(self.get_outcome(step.url_format, has_id=bool(ids)))
                elif isinstance(step, Sleep):
                    self.delays.append(step.seconds)
                    self.now += step.seconds
        except StopIteration:
            return True
        except XAILowCodeError:
            return False


@pytest.fixture
def _real_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()


@pytest.mark.usefixtures("_real_restart")
@pytest.mark.parametrize("downtime", [0.0, 0.1, 1.0, 3.0, 9.0])
@pytest.mark.parametrize("front", [False, True])
@pytest.mark.parametrize("retries", [0, 2, 8])
@pytest.mark.parametrize("endpoint", [RETRIEVE_MODEL, DOWNLOAD_FILE], ids=lambda e: e.name)
def test_calls_wait_for_the_restart(
    endpoint: Endpoint[Any], downtime: float, front: bool, retries: int
) -> None:
    """For any number of retries there is one crash, and the delays in the old format grow."""
    gateway, formats = SimulatedGateway(downtime, front=front), UrlFormatSelector()
    assert gateway.call(endpoint, formats, RetryPolicy(retries))
    assert gateway.crashes == 1
    assert gateway.url_formats.count("new") == 1
    assert all(later >= earlier for earlier, later in pairwise(gateway.delays))
    assert sum(gateway.delays) < RESTART_PATIENCE
    assert gateway.call(UPDATE_FILE, formats, RetryPolicy(0))
    assert gateway.crashes == 1


@pytest.mark.usefixtures("_real_restart")
def test_a_gateway_that_stays_down() -> None:
    """After the time for a restart the retries of the policy follow, and the error is raised."""
    for front in (False, True):
        gateway = SimulatedGateway(1e6, front=front)
        assert not gateway.call(RETRIEVE_MODEL, UrlFormatSelector(), RetryPolicy(2))
        assert 10 < sum(gateway.delays) < 25
        impatient = SimulatedGateway(1e6, front=front)
        assert not impatient.call(RETRIEVE_MODEL, UrlFormatSelector(), RetryPolicy(2, 3.0))
        assert sum(impatient.delays) < 3


@pytest.mark.usefixtures("_real_restart")
@pytest.mark.parametrize("front", [False, True])
def test_other_calls_wait_for_the_restart_if_nothing_was_sent(front: bool) -> None:
    """A POST is sent again without counting as a retry only if its connection was refused."""
    gateway, formats = SimulatedGateway(2.0, front=front), UrlFormatSelector()
    assert not gateway.call(UPDATE_FILE, formats, RetryPolicy(0))
    assert gateway.url_formats == ["new"]
    assert gateway.call(CREATE_CHAT_COMPLETION, formats, RetryPolicy(0)) == (not front)
    assert gateway.crashes == 1


def test_a_gateway_that_was_never_reached() -> None:
    """A gateway that was never reached did not crash: only the retries of the policy follow."""
    gateway = SimulatedGateway(0, front=False)
    gateway.up_at = 1e9
    formats = UrlFormatSelector()
    assert not gateway.call(RETRIEVE_MODEL, formats, RetryPolicy(2))
    assert gateway.url_formats == ["new", "old", "old"]
    assert len(gateway.delays) == 2
    assert formats.facts.crashed_at is None


def test_a_502_in_a_working_format_is_retried_once() -> None:
    """Behind a proxy, a request that crashes the gateway causes a 502 response."""
    formats = UrlFormatSelector()
    gateway = SimulatedGateway(0.0, front=True, crashing_formats=())
    assert gateway.call(RETRIEVE_MODEL, formats, RetryPolicy(0))
    gateway.crashing_formats = ("new",)
    assert not gateway.call(RETRIEVE_MODEL, formats, RetryPolicy(8))
    assert gateway.crashes == 2
    assert set(gateway.url_formats) == {"new"}
