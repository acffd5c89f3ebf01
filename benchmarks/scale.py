"""Send many prompts from several processes through faults and a kill, and check the accounts.

    python -m benchmarks.scale --write                 # 20,000 prompts, minutes
    python -m benchmarks.scale --prompts 400           # seconds

Each process runs ``examples/batch_jsonl.py`` on a part of the prompts. One is killed with SIGKILL
in the middle; each is started again until every row has a response. The gateway is the emulator, in
a process of its own, which keeps a ledger of the responses it generated (``scale_gateway``). Then:

- each prompt has exactly one response in the output, and it is its own;
- a response that was sent whole is in the output, and is the only one of its prompt that was: no
  prompt is sent again after its response was received. Excepted are the responses that the killed
  process had not written, at most one for each of its concurrent requests;
- a response that was cut off is not requested again in the same run: its row has an error;
- the cost in the output is the sum over the ledger without the responses that were lost.

A response is lost if the connection was closed before or during it, or by the kill. If it was
closed before the first byte, the client cannot know whether a response was generated; if during it,
the client knows that one was, but does not have it. Either way the prompt is sent, and billed,
again.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "batch_jsonl.py"
RESULT = ROOT / "benchmarks" / "results" / "scale.json"
TICKS = 10_000_000_000  # in one US dollar
MAX_STARTS = 30  # of one part
POLL = 0.1
Rows = list[dict[str, Any]]


@dataclass
class Gateway:
    """The emulator in another process."""

    process: subprocess.Popen[str]
    base_url: str
    api_token: str

    def open_connections(self) -> int:
        """Return the number of connections that are open."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def gateway(ledger: Path, faults: float, latency: float) -> Iterator[Gateway]:
    """Run the gateway; it writes the ledger when it ends."""
    options = [str(ledger), f"--faults={faults}", f"--latency={latency}"]
    command = [sys.executable, "-m", "benchmarks.scale_gateway", *options]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:  # noqa: S603 - of this repository
        assert process.stdin
        assert process.stdout
        try:
            yield Gateway(process, **json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()


def peak_memory_kb(pid: int) -> int:
    """Return the peak resident memory of a child so far, in KB; 0 if it has ended.

    ``ru_maxrss`` is not used: for a child it is at least the memory of the process that started it.
    """
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next((int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line), 0)


@dataclass
class Part:
    """A part of the prompts, and the process that sends it."""

    prompts: Path
    output: Path
    command: list[str]
    environment: dict[str, str]
    starts: int = 0
    cpu_seconds: float = 0.0
    peak_memory_kb: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; the errors of the run before are counted, as it removes them."""
        self.count_errors()
        self.starts += 1
        if self.starts > MAX_STARTS:
            raise RuntimeError(f"{self.prompts.name} is not complete after {MAX_STARTS} starts")
        self.process = subprocess.Popen(  # noqa: S603 - of this repository
            self.command, env=self.environment, stderr=subprocess.DEVNULL
        )

    def count_errors(self) -> None:
        """Count the rows with an error."""
        if self.output.exists():
            text = self.output.read_bytes().rpartition(b"\n")[0].decode()
            rows = map(json.loads, text.splitlines())
            self.errors.update(row["error"].partition(":")[0] for row in rows if "error" in row)

    def lines(self) -> int:
        """Return the number of lines in the output."""
        return self.output.read_bytes().count(b"\n") if self.output.exists() else 0

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs; add its usage when it has ended."""
        assert self.process
        self.peak_memory_kb = max(self.peak_memory_kb, peak_memory_kb(self.process.pid))
        pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        if not pid:
            return None
        self.cpu_seconds += usage.ru_utime + usage.ru_stime
        self.process.returncode = code = os.waitstatus_to_exitcode(status)
        self.process = None
        return code


def run(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Send all prompts, check the accounts and return the figures."""
    ledger_file = folder / "ledger.jsonl"
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with gateway(ledger_file, args.faults, args.latency) as server:
        parts = [create_part(args, folder, server, number) for number in range(args.processes)]
        peak = 0
        running, killed = list(parts), args.no_kill
        for part in parts:
            part.start()
        try:
            while running:
                time.sleep(POLL)
                peak = max(peak, server.open_connections())
                if not killed and parts[0].lines() >= args.prompts // args.processes // 2:
                    assert parts[0].process
                    parts[0].process.kill()
                    killed = True
                for part in running.copy():
                    code = part.poll()
                    if code == 0:
                        running.remove(part)
                    elif code is not None:
                        part.start()
        finally:
            for part in running:
                if part.process:
                    part.process.kill()
        seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    ledger = [json.loads(line) for line in ledger_file.read_text(encoding="utf-8").splitlines()]
    totals = ledger.pop()
    output = [
        json.loads(line)
        for part in parts
        for line in part.output.read_text(encoding="utf-8").splitlines()
    ]
    of_killed = set() if args.no_kill else {n for n in range(args.prompts) if not n % len(parts)}
    accounts = check(output, ledger, args.prompts, of_killed, args.max_concurrency)
    errors = sum((part.errors for part in parts), Counter[str]())
    cut = accounts["responses_lost"].get("CutBytes", 0) + accounts["responses_lost"].get(
        "CutStream", 0
    )
    assert errors.total() >= cut - (0 if args.no_kill else args.max_concurrency)
    cpu = sum(part.cpu_seconds for part in parts)
    all_cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    requests = sum(totals["requests"].values())
    return {
        "prompts": args.prompts,
        "processes": args.processes,
        "max_concurrency": args.max_concurrency,
        "faults": args.faults,
        "latency": args.latency,
        "seconds": round(seconds, 1),
        "prompts_per_second": round(args.prompts / seconds, 1),
        "client_cpu_ms_per_prompt": round(1000 * cpu / args.prompts, 3),
        "gateway_cpu_ms_per_request": round(1000 * (all_cpu - cpu) / requests, 3),
        "peak_memory_mb": round(max(part.peak_memory_kb for part in parts) / 1024, 1),
        "starts": [part.starts for part in parts],
        "requests": requests,
        "requests_by_fault": totals["requests"],
        "retries": requests - args.prompts,
        "rows_with_errors": dict(errors),
        "connections_opened": totals["connections"],
        "connections_open_at_most": peak,
        "output_bytes": sum(part.output.stat().st_size for part in parts),
        **accounts,
    }


def create_part(args: argparse.Namespace, folder: Path, server: Gateway, number: int) -> Part:
    """Write a part of the prompts; it has those whose id has this remainder."""
    prompts, output = folder / f"prompts-{number}.jsonl", folder / f"responses-{number}.jsonl"
    ids = range(number, args.prompts, args.processes)
    rows = ({"id": each, "prompt": f"Say 'row {each}'"} for each in ids)
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    limit = f"--max-concurrency={args.max_concurrency}"
    command = [sys.executable, str(EXAMPLE), str(prompts), str(output), limit]
    connection = {
        "LOWCODEAPI_API_TOKEN": server.api_token,
        "LOWCODEAPI_BASE_URL": server.base_url,
    }
    return Part(prompts, output, command, {**os.environ, **connection})


def check(
    output: Rows, ledger: Rows, prompts: int, of_killed: set[int], concurrency: int
) -> dict[str, Any]:
    """Compare the output with the ledger; return the sums.

    Args:
        output: The rows of the output.
        ledger: The responses that were generated.
        prompts: The number of prompts, whose ids count from 0.
        of_killed: The ids of the process that was killed.
        concurrency: The most requests that it had when it was killed.

    Raises:
        AssertionError: A prompt has not exactly one response, or one was paid twice needlessly, or
            the cost is wrong.
    """
    assert sorted(row["id"] for row in output) == list(range(prompts))
    assert all(row["answer"] == f"row {row['id']}" for row in output)
    generated = {entry["response_id"]: entry for entry in ledger}
    assert len(generated) == len(ledger)
    received = {row["response_id"] for row in output}
    assert len(received) == prompts
    assert all(generated[row["response_id"]]["id"] == row["id"] for row in output)
    lost = [entry for entry in ledger if entry["response_id"] not in received]
    by_kill = [entry for entry in lost if entry["lost"] is None]
    assert not any(entry["lost"] for entry in ledger if entry["response_id"] in received)
    assert len(by_kill) <= concurrency
    assert {entry["id"] for entry in by_kill} <= of_killed
    assert len({entry["id"] for entry in by_kill}) == len(by_kill)
    ticks = sum(round(row["cost_usd"] * TICKS) for row in output)
    ticks_generated = sum(entry["cost_ticks"] for entry in ledger)
    ticks_lost = sum(entry["cost_ticks"] for entry in lost)
    assert ticks == ticks_generated - ticks_lost
    return {
        "responses_generated": len(ledger),
        "responses_lost": dict(Counter(entry["lost"] or "killed" for entry in lost)),
        "cost_usd": ticks / TICKS,
        "cost_usd_generated": ticks_generated / TICKS,
        "cost_usd_lost": ticks_lost / TICKS,
    }


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--prompts", type=int, default=20_000)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--max-concurrency", type=int, default=32, help="in each process")
    parser.add_argument("--faults", type=float, default=0.2, help="share of the requests")
    parser.add_argument("--latency", type=float, default=0.05, help="of each response, seconds")
    parser.add_argument("--no-kill", action="store_true")
    parser.add_argument("--write", action="store_true", help=f"to {RESULT.relative_to(ROOT)}")
    return parser.parse_args(arguments)


def main() -> None:
    """Run, check and print the figures."""
    args = parse()
    with TemporaryDirectory() as folder:
        figures = run(args, Path(folder))
    text = json.dumps(figures, indent=1)
    print(text)
    if args.write:
        RESULT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
