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
ASKED = [{"role": "user", "content": "Hello"}]
QUICK = PollingOptions(timeout=5, initial_delay=0.001, max_delay=0.001)
FORMS = ["new", "old", "both", "old_new_drops", "both_drop"]
Ask = Callable[[Any, Emulator], Any]


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
    ticket = client.call_method(
        "create_chat_completion", model=MODEL, messages=ASKED, deferred=True
    )
    return client.call_method("poll_deferred_completion", ticket["request_id"], QUICK)["choices"]


ASKS: list[Ask] = [retrieve, delete, update, download, deferred]


@pytest.fixture(autouse=True)
def _short_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "RESTART_DELAY", 0.002)
    monkeypatch.setattr(urls, "RESTART_DELAY_BEHIND_PROXY", 0.02)


@pytest.fixture(params=FORMS)
def forms(request: pytest.FixtureRequest) -> Any:
    """Which formats the definition serves, and which of them crash the gateway."""
    return request.param


@pytest.fixture(params=[False, True], ids=["direct", "front"])
def dying(request: pytest.FixtureRequest, forms: Any) -> Iterator[Emulator]:
    """A gateway that needs 15 ms to restart."""
    with running(url_forms=forms, restart_seconds=0.015, front=request.param) as emulator:
        yield emulator


def in_fork(work: Callable[[], bool]) -> bool:
    """Return the result of a function in a forked child."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if work() else 1)
        except BaseException:  # noqa: BLE001 - the child must not return into the test
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.__name__)
@pytest.mark.parametrize("kind", GATEWAY_CLIENTS)
def test_a_process_crashes_a_gateway_once(
    dying: Emulator, forms: str, kind: type[Any], ask: Ask
) -> None:
    """First and later calls of all endpoints, other clients and forked children are served."""
    if forms == "both_drop":
        pytest.skip("never served; the next test counts its crashes")
    settings, crashes = emulator_settings(dying), int(forms == "old_new_drops")
    with open_client(kind, settings) as client:
        assert ask(client, dying)
        assert dying.crashes == crashes
        for later in (ask, *ASKS):
            assert later(client, dying)
    for other in GATEWAY_CLIENTS:
        with open_client(other, settings) as client:
            assert ask(client, dying)
    if hasattr(os, "fork") and kind is SyncGatewayClient:
        assert in_fork(lambda: retrieve(SyncGatewayClient(settings), dying))
    assert dying.crashes == crashes


@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.__name__)
@pytest.mark.parametrize("kind", GATEWAY_CLIENTS)
def test_the_setting_prevents_every_crash(
    dying: Emulator, forms: str, kind: type[Any], ask: Ask
) -> None:
    """With the served format set, the first call is served without a crash, in one request."""
    if forms == "both_drop":
        pytest.skip("served in no format")
    url_format = "new" if forms == "new" else "old"
    with open_client(
        kind, emulator_settings(dying, url_format=url_format, max_retries=0)
    ) as client:
        assert ask(client, dying)
    assert dying.crashes == 0


@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.__name__)
@pytest.mark.parametrize("front", [False, True], ids=["direct", "front"])
def test_a_gateway_that_crashes_in_both_formats(
    monkeypatch: pytest.MonkeyPatch, front: bool, ask: Ask
) -> None:
    """The error names both formats and the setting; later calls crash the gateway once each."""
    monkeypatch.setattr(urls, "RESTART_PATIENCE", 0.2)
    plan = PollingOptions(timeout=0.4, initial_delay=0.05, max_delay=0.05)
    monkeypatch.setitem(globals(), "QUICK", plan)
    with (
        running(url_forms="both_drop", restart_seconds=0.005, front=front) as gateway,
        open_client(SyncGatewayClient, emulator_settings(gateway, max_retries=8)) as client,
    ):
        with pytest.raises(XAILowCodeError) as raised:
            ask(client, gateway)
        if ask is deferred:
            return
        assert urls.URL_FORMAT_HINT in str(raised.value)
        assert gateway.crashes <= (7 if front else 3)
        before = gateway.crashes
        with pytest.raises(XAILowCodeError):
            ask(client, gateway)
        assert gateway.crashes <= before + 2


@pytest.mark.parametrize("number", [2, 8])
def test_threads_that_begin_together(number: int) -> None:
    """All are served; a request that is on its way when the gateway crashes crashes it no more."""
    with running(url_forms="old_new_drops", restart_seconds=0.015) as gateway:
        settings, start, served = emulator_settings(gateway), Barrier(number), []

        def work() -> None:
            with open_client(SyncGatewayClient, settings) as client:
                start.wait()
                served.append(retrieve(client, gateway))

        threads = [Thread(target=work) for _ in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert served == [True] * number
        before = gateway.crashes
        with open_client(SyncGatewayClient, settings) as client:
            assert retrieve(client, gateway)
        assert gateway.crashes == before


@pytest.mark.parametrize("kind", GATEWAY_CLIENTS)
@pytest.mark.parametrize("max_retries", [0, 1, 8])
def test_a_file_that_crashes_the_gateway_is_requested_twice(
    kind: type[Any], max_retries: int
) -> None:
    """A text that is a number ends the gateway's process; the format had worked before."""
    with running(restart_seconds=0.005) as gateway:
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


# --- without sockets ---

DROP, REFUSED = "drop", "refused"
BAD_GATEWAY = create_response(502, b"<html>Bad gateway</html>")


def outcome_of(name: str) -> Outcome:
    if name == "502":
        return BAD_GATEWAY
    if name == "404":
        return create_response(404, {"message": "Not Found"})
    if name == "ok":
        return create_response(200, {"id": "m", "choices": []})
    return create_failure(errors.APIConnectionError, request_sent=name == DROP)


class Played:
    """One call to a gateway that is down for some seconds after each crash, by a virtual clock."""

    def __init__(self, down: float, *, front: bool, fatal: tuple[str, ...] = ("new",)) -> None:
        self.now, self.up_at, self.crashes = 100.0, 0.0, 0
        self.down, self.front, self.fatal = down, front, fatal
        self.forms: list[str] = []
        self.waits: list[float] = []

    def outcome(self, url_format: str, *, has_id: bool) -> str:
        """What comes of a request."""
        if self.now < self.up_at:
            return "502" if self.front else REFUSED
        if has_id and url_format in self.fatal:
            self.crashes += 1
            self.up_at = self.now + self.down
            return "502" if self.front else DROP
        return "ok"

    def call(
        self, endpoint: Endpoint[Any], formats: UrlFormatSelector, policy: RetryPolicy
    ) -> bool:
        """Make a call and return whether it succeeded."""
        context = CallContext(policy, formats, TOKEN, lambda: self.now, lambda: 0.5)
        ids = dict.fromkeys(urls.path_parameters(endpoint), "x")
        steps = call_flow(Call(endpoint, ids=ids), context)
        outcome: Outcome | None = None
        try:
            while True:
                step = steps.send(outcome)
                outcome = None
                if isinstance(step, SendRequest):
                    self.forms.append(step.url_format)
                    self.now += 0.01
                    outcome = outcome_of(self.outcome(step.url_format, has_id=bool(ids)))
                elif isinstance(step, Sleep):
                    self.waits.append(step.seconds)
                    self.now += step.seconds
        except StopIteration:
            return True
        except XAILowCodeError:
            return False


@pytest.fixture
def _real_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()


@pytest.mark.usefixtures("_real_restart")
@pytest.mark.parametrize("down", [0.0, 0.1, 1.0, 3.0, 9.0])
@pytest.mark.parametrize("front", [False, True])
@pytest.mark.parametrize("retries", [0, 2, 8])
@pytest.mark.parametrize("endpoint", [RETRIEVE_MODEL, DOWNLOAD_FILE], ids=lambda e: e.name)
def test_a_restart_is_waited_for(
    endpoint: Endpoint[Any], down: float, front: bool, retries: int
) -> None:
    """However many retries: one crash, then the old format, with growing waits."""
    played, formats = Played(down, front=front), UrlFormatSelector()
    assert played.call(endpoint, formats, RetryPolicy(retries))
    assert played.crashes == 1
    assert played.forms.count("new") == 1
    assert all(later >= earlier for earlier, later in pairwise(played.waits))
    assert sum(played.waits) < RESTART_PATIENCE
    assert played.call(UPDATE_FILE, formats, RetryPolicy(0))
    assert played.crashes == 1


@pytest.mark.usefixtures("_real_restart")
def test_a_gateway_that_stays_down_is_given_up() -> None:
    """After the patience the retries of the policy follow, and the error is raised."""
    for front in (False, True):
        played = Played(1e6, front=front)
        assert not played.call(RETRIEVE_MODEL, UrlFormatSelector(), RetryPolicy(2))
        assert 10 < sum(played.waits) < 25
        waited = Played(1e6, front=front)
        assert not waited.call(RETRIEVE_MODEL, UrlFormatSelector(), RetryPolicy(2, 3.0))
        assert sum(waited.waits) < 3


@pytest.mark.usefixtures("_real_restart")
@pytest.mark.parametrize("front", [False, True])
def test_other_calls_wait_for_the_restart_if_nothing_was_sent(front: bool) -> None:
    """A POST is repeated without being counted only if its connection was refused."""
    played, formats = Played(2.0, front=front), UrlFormatSelector()
    assert not played.call(UPDATE_FILE, formats, RetryPolicy(0))
    assert played.forms == ["new"]
    assert played.call(CREATE_CHAT_COMPLETION, formats, RetryPolicy(0)) == (not front)
    assert played.crashes == 1


def test_what_was_refused_at_first_waits_no_longer() -> None:
    """A gateway that was never reached did not crash: the retries of the policy, no more."""
    played = Played(0, front=False)
    played.up_at = 1e9
    formats = UrlFormatSelector()
    assert not played.call(RETRIEVE_MODEL, formats, RetryPolicy(2))
    assert played.forms == ["new", "old", "old"]
    assert len(played.waits) == 2
    assert formats.facts.crashed_at is None


def test_a_bad_gateway_of_a_working_format_is_repeated_once() -> None:
    """Behind a proxy, a request that crashes the gateway looks like this."""
    formats = UrlFormatSelector()
    played = Played(0.0, front=True, fatal=())
    assert played.call(RETRIEVE_MODEL, formats, RetryPolicy(0))
    played.fatal = ("new",)
    assert not played.call(RETRIEVE_MODEL, formats, RetryPolicy(8))
    assert played.crashes == 2
    assert set(played.forms) == {"new"}
