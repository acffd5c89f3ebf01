"""Set the hypothesis profiles: the same inputs in each run, or random ones (``make test-random``).

No profile has a deadline, and none writes to the repository's folder.
"""

import asyncio
import gc
import secrets
import signal
import threading
from collections import Counter
from collections.abc import Generator, Iterator
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import certifi
import pytest
from hypothesis import settings

from tests.cases import forget_gateways, number_of_cases
from xai_lowcode.emulator import state

pytest_plugins = ["tests.summary"]

# A shell ignores this signal in what it runs in the background, and so would each command.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A property of a table may fail in as many ways as the table has rows: one of them is simplified.
COMMON: dict[str, Any] = {"deadline": None, "database": None, "report_multiple_bugs": False}
settings.register_profile("deterministic", derandomize=True, max_examples=40, **COMMON)
settings.register_profile("random", print_blob=True, max_examples=200, **COMMON)
settings.load_profile("deterministic")


# Files with few tests, some of which take seconds.
SLOW_FILES = {
    f"test_{name}.py"
    for name in (
        *("connection_reuse", "request_counts", "response_limits", "channels", "fork_safety"),
        "connection_faults",
        *("structured_answers", "stored", "warnings", "laws", "leaves", "tool_calls"),
        *("exit_codes", "terminal", "namespace", "readme", "batch_example", "web_server"),
    )
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the files for xdist, and note how many cases an item runs, for ``tests.summary``.

    The workers begin with the files that take longest: slow ones, ``SLOW_FILES``, then large ones.
    A long file that begins last would run alone.
    """
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        sizes = Counter(item.path for item in items)
        items.sort(
            key=lambda item: (
                item.path not in slow,
                item.path.name not in SLOW_FILES,
                -sizes[item.path],
            )
        )
    for item in items:
        if (number := number_of_cases(item)) > 1:
            item.user_properties.append(("cases", number))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while modules are imported and tests are collected, and little later.

    Both are excluded from later collections. Otherwise each takes almost half a second, and some
    tests collect.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)
        gc.enable()


@pytest.fixture(autouse=True, scope="session")
def _single_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let clients trust a single certificate authority, since no test connects beyond loopback.

    Otherwise each client would load more than a hundred, which takes up to 30 ms.
    """
    first, end, _ = (
        Path(certifi.where()).read_text("ascii").partition("-----END CERTIFICATE-----\n")
    )
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    path.write_text(first + end, "ascii")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(path))
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True, scope="session")
def _default_url_format() -> Iterator[None]:
    """Ignore the URL format of the environment in which the tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LOWCODEAPI_URL_FORMAT", raising=False)
        yield


@pytest.fixture(autouse=True, scope="session")
def _few_tokens() -> Iterator[None]:
    """Let emulators have some of a few random tokens, but successive ones different tokens.

    Compiling the pattern that redacts another token takes 9 ms.
    """
    tokens = cycle([secrets.token_hex(16) for _ in range(16)])
    lock = threading.Lock()

    def token_hex(size: int) -> str:
        with lock:
            return next(tokens) if size == 16 else secrets.token_hex(size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "secrets", SimpleNamespace(token_hex=token_hex))
        yield


@pytest.fixture(autouse=True, scope="session")
def _event_loop() -> Iterator[None]:
    """Set an event loop, so that ``asyncio.get_event_loop``, which LlamaIndex calls, creates none.

    A created loop would never be closed, and its warning would fail a later test.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()


@pytest.fixture(scope="session")
def vcr() -> None:
    """Replace a fixture of pytest-recording, which would look for its marker in each test.

    The tests that are recorded import the original.
    """


@pytest.fixture(scope="session")
def block_network() -> None:
    """Replace the other one of its fixtures."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget gateways; a fixture would cost more time than this takes."""
    forget_gateways()
