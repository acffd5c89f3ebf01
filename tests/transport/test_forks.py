"""Law: a fork does not affect the parent, and the child has its own connections.

Whatever a child does with inherited connections, and however it ends: the parent's call succeeds
with one request, its stream is complete, and the child's calls succeed.
"""

import json
import os
import signal
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.programs import FORKS, ForkedProgram
from tests.transport import wire
from tests.transport.fork_program import CHILD, TIME_LIMIT
from tests.transport.raw_server import Connection, RawServer, Request
from tests.transport.remote_client import ROOT, environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system"),
]

_PROGRAM = "from tests.transport.fork_program import main; main()"
# No module of the package, nor one that it imports on first use: their imports are tested.
_PRELOAD = ("pytest", "langchain_core.language_models.chat_models", "langchain_core.outputs")
IDLE, STREAM = "idle connection", "open stream"
BEFORE, DURING = "forked before a call", "forked during a call"
ALL = (IDLE, BEFORE, DURING, STREAM)
# The end of an interpreter takes long: in each situation, one child ends so.
FORKED = [
    *product(["exit"], (IDLE, STREAM)),
    *product(["exit without calls"], (BEFORE, DURING)),
    *product(["read"], [STREAM]),
    *product(["_exit", "close", "collection", "fork", "pool"], ALL),
]


@contextmanager
def _servers(tls: ssl.SSLContext | None) -> Iterator[tuple[RawServer, RawServer]]:
    """Run a server for the calls, and another one for the events that synchronize processes."""
    with RawServer() as events, RawServer(tls=tls) as server:

        def handler(connection: Connection, request: Request) -> None:
            if not request.prompt.startswith(("slow-", "parent")):
                connection.respond(request)
                return
            events.event(f"received-{request.prompt}").set()
            release = events.event(f"go-{request.prompt}")
            if not request.is_stream:
                release.wait()
                connection.respond(request)
                return
            content_type, parts = wire.echo(request)
            head = wire.head(f"Content-Type: {content_type}", "Transfer-Encoding: chunked")
            connection.send(head + wire.chunked(parts[:1], end=False))
            release.wait()
            connection.send(wire.chunked(parts[1:]))

        server.handler = handler
        yield server, events


def _run(program: str, certificates: Path | None, **options: Any) -> list[dict[str, Any]]:
    """Run a program in another process, and return the lines that it prints.

    The process is a fork, where the tests fork, of one that has imported the framework.
    """
    trusted = {} if certificates is None else {"SSL_CERT_FILE": str(certificates)}
    args = [program, json.dumps(options)]
    process: ForkedProgram | subprocess.Popen[str]
    if FORKS:
        process = ForkedProgram(
            _PROGRAM, args, env=environment(**trusted), preload=_PRELOAD, new_session=True
        )
    else:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(**trusted),
            start_new_session=True,
        )
    with process:
        try:
            out, err = process.communicate(timeout=TIME_LIMIT + 5)
        except (subprocess.TimeoutExpired, TimeoutError):
            # Its children have the pipes open too.
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
    lines = [json.loads(line) for line in out.splitlines()]
    if not lines or lines[-1]["name"] != "the end":
        pytest.fail(
            f"the process did not end normally: {process.returncode}:\n{out}\n{err}", pytrace=False
        )
    return [{**line, "stderr": err} for line in lines[:-1]]


def _errors(server: RawServer, lines: list[dict[str, Any]]) -> Iterator[str]:
    for line in lines:
        name = line["name"]
        if "error" in line:
            yield f"{name}: the parent's call raised {line['error']}"
            continue
        expected = f"{'next' if name.endswith('idle-connection') else 'slow'}-{name}"
        if line["text"] != expected:
            yield f"{name}: the parent's call returned {line['text']}"
        if line["code"] != 0:
            yield f"{name}: the child ended with {line['code']}"
    for prompt, count in server.counts().items():
        if count != 1:
            yield f"{prompt} was sent {count} times"
    of_children = {r.connection for r in server.requests if r.prompt.startswith(CHILD)}
    of_parent = {r.connection for r in server.requests if not r.prompt.startswith(CHILD)}
    if shared := of_children & of_parent:
        yield f"parent and child have both used the connections {shared}"


def _check(
    client: str,
    children: list[tuple[str, str]],
    tls: ssl.SSLContext | None,
    certificates: Path | None,
) -> None:
    with _servers(tls) as (server, events):
        lines = _run(
            "scenarios",
            certificates,
            base_url=server.base_url,
            port=events.port,
            client=client,
            children=children,
        )
        errors = list(_errors(server, lines))
    assert len(lines) == len(children)
    if errors:
        messages = "\n  ".join(errors)
        child_lines = [
            line for line in lines[0]["stderr"].splitlines() if line.startswith("child:")
        ]
        pytest.fail(f"{len(errors)} errors:\n  {messages}\n  {child_lines}", pytrace=False)


@pytest.mark.parametrize("client", ["sync", "async"])
def test_forks_over_plain_connections(client: str) -> None:
    """Eight kinds of children in four situations do not affect the parent's calls and streams."""
    in_loop = product(["_exit in a running loop"], ALL if client == "async" else ())
    _check(client, [*FORKED, *in_loop], None, None)


@pytest.mark.parametrize(("client", "method"), [("sync", "spawn"), ("async", "forkserver")])
def test_forks_over_tls(client: str, method: str, tls: ssl.SSLContext, certificates: Path) -> None:
    """The same holds over TLS, where data from the child would end the parent's connection.

    Processes that inherit nothing get the used model by pickle.
    """
    _check(client, [*FORKED, (method, DURING)], tls, certificates)


def _stacks(stderr: str) -> str:
    """Return the stacks of processes when they were ended, without duplicates."""
    stacks = [
        "".join(stack.splitlines(keepends=True)[1:9])
        for stack in stderr.split("Current thread")[1:]
    ]
    return "\n".join(f"{count} times:\n{stack}" for stack, count in Counter(stacks).items())


@pytest.mark.parametrize("forked_before", [False, True])
@pytest.mark.parametrize("kind", ["LangChain", "Gateway", "AsyncGateway"])
def test_a_fork_during_the_first_call_of_another_thread(kind: str, forked_before: bool) -> None:
    """A child that is forked while another thread imports modules for its call does not hang.

    It may be the first child, before which more is prepared, or a later one.
    """
    _check_first_call(kind, None, None, forked_before=forked_before)


@pytest.mark.parametrize("kind", ["LangChain", "Gateway", "AsyncGateway"])
def test_a_fork_during_the_first_call_of_another_thread_over_tls(
    kind: str, tls: ssl.SSLContext, certificates: Path
) -> None:
    """The same holds over TLS, which imports more.

    It holds only during imports: OpenSSL has its own locks, and a child that is forked while
    another thread holds one of them hangs, whatever Python does. So the forks must not take long.
    """
    _check_first_call(kind, tls, certificates, forked_before=True)


def _check_first_call(
    kind: str, tls: ssl.SSLContext | None, certificates: Path | None, *, forked_before: bool
) -> None:
    with _servers(tls) as (server, events):
        lines = _run(
            "first call",
            certificates,
            base_url=server.base_url,
            port=events.port,
            kind=kind,
            forks_between_imports=40 if tls is None else 0,
            forked_before=forked_before,
        )
        counts = server.counts()
    assert {line["name"]: line["text"] for line in lines if "text" in line} == {"parent": "parent"}
    _check_children(lines)
    # One child is forked while the call waits for its response, whatever is imported.
    assert any("code" in line for line in lines)
    assert set(counts.values()) == {1}


def _check_children(lines: list[dict[str, Any]]) -> None:
    """Check that children have ended by themselves, with exit code 0."""
    codes = {line["name"]: line["code"] for line in lines if "code" in line}
    failed = [f"{name}: {code}" for name, code in codes.items() if code != 0]
    if failed:
        messages, stacks = "\n  ".join(failed), _stacks(lines[0]["stderr"])
        pytest.fail(f"children hang (-14) or fail (3):\n  {messages}\nin\n{stacks}", pytrace=False)
