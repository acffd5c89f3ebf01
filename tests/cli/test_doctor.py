"""The doctor: its findings, exit codes, screen and JSON report for all kinds of gateways."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.cli.commands import connected_to, wait_until
from xai_lowcode.api.endpoints import GATEWAY_ENDPOINTS, LIST_MODELS
from xai_lowcode.cli import app
from xai_lowcode.diagnostics import run_diagnostics
from xai_lowcode.diagnostics.checks import CheckResult
from xai_lowcode.diagnostics.findings import find_all
from xai_lowcode.emulator import Emulator, Fault, Garbage, Html, Refuse, Stall, running
from xai_lowcode.errors import CertificateVerificationError
from xai_lowcode.protocol import urls
from xai_lowcode.settings import Settings

# Of the POST endpoints only tokenizing is free and stores nothing.
FREE = 1 + sum(endpoint.method != "POST" for endpoint in GATEWAY_ENDPOINTS)
PAID = 4
KEY = json.dumps(
    {
        "redacted_api_key": "xai-...1234",
        "name": "secret name of a key",
        "team_id": "team-4711",
        "acls": [],
        "team_blocked": True,
        "api_key_blocked": False,
        "api_key_disabled": False,
    }
).encode()


CAUSE = "the new URL format makes this gateway drop all connections: set url_format='old'"


def run_doctor(gateway: Emulator, *args: str, token: str | None = None) -> Result:
    """Run the doctor, and check that it does not print the token."""
    env = connected_to(gateway, token)
    result = CliRunner().invoke(app, ["doctor", *args], env=env)
    assert env["LOWCODEAPI_API_TOKEN"] not in result.output
    return result


def get_report(gateway: Emulator, *args: str, token: str | None = None) -> dict[str, Any]:
    """Return the JSON report, with its findings by name."""
    result = run_doctor(gateway, "--json", *args, token=token)
    report: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (0 if report["healthy"] else 1)
    report["findings"] = {finding["name"]: finding for finding in report["findings"]}
    return report


def states(report: dict[str, Any]) -> dict[str, str]:
    """Return the state of each finding."""
    return {name: finding["state"] for name, finding in report["findings"].items()}


def test_a_healthy_gateway(gateway: Emulator) -> None:
    """Every free endpoint is checked and works; no paid endpoint is called."""
    report = get_report(gateway)
    assert report["healthy"]
    assert report["verdict"] == (
        f"Token, account and the {FREE} checked endpoints work. Not tried: responses,"
        " chat completions, messages, images: they cost money, use --spend."
    )
    assert [endpoint["state"] for endpoint in report["endpoints"]] == ["ok"] * FREE
    unknown = dict.fromkeys(("streaming", "not tried"), "unknown")
    assert states(report) == dict.fromkeys(report["findings"], "ok") | unknown
    assert {request.method for request in gateway.requests} == {"GET", "POST", "DELETE", "PATCH"}
    assert all("completions" not in request.path for request in gateway.requests)
    assert all(not request.path.endswith("/responses") for request in gateway.requests)


def test_nothing_is_spent_or_changed_by_default(gateway: Emulator) -> None:
    """Existing files are not deleted, and no paid endpoint is called."""
    file_id = gateway.add_file("kept.txt", b"kept")
    get_report(gateway)
    assert file_id in gateway.store.files
    paid = {"/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/images/generations"}
    assert not paid & {request.path.removeprefix("/xai") for request in gateway.requests}


def test_old_urls_data_envelope_buffered_stream() -> None:
    """Old URL format, data envelope and a buffered stream are reported, and are no failure."""
    with running(url_forms="old", envelope="data", streaming="buffered") as gateway:
        report = get_report(gateway, "--spend")
    assert report["healthy"]
    assert report["findings"]["envelope"]["text"] == (
        "data: xAI's response is in the key 'data' (11 responses)"
    )
    assert report["findings"]["URL format"]["text"] == (
        "old: ids are in the query (10 endpoints); new was tried first and got 404"
    )
    assert report["findings"]["streaming"]["text"].startswith("buffered, all at once (")
    assert "cost $0.0" in report["findings"]["streaming"]["text"]
    (model,) = [item for item in report["endpoints"] if item["name"] == "Retrieve Model"]
    assert [(attempt["url_format"], attempt["status"]) for attempt in model["attempts"]] == [
        ("new", 404),
        ("old", 200),
    ]


def test_a_token_without_an_account(gateway: Emulator) -> None:
    """The token is valid, the account fails, and the hint is given once."""
    report = get_report(gateway, token=gateway.unconnected_token)
    assert states(report)["token"] == "ok"
    assert states(report)["account"] == "failed"
    assert report["verdict"] == "The token is valid, but no xAI key is connected to its account."
    (problem,) = report["problems"]
    assert "connect xAI at https://lowcodeapi.com" in problem["hint"]
    assert sum(endpoint["state"] == "failed" for endpoint in report["endpoints"]) == FREE


def test_disconnected_new_urls_and_wrapped_chunks() -> None:
    """A gateway that closes the connection at new URLs and wraps each chunk works."""
    with running(url_forms="old_new_drops", envelope="data", streaming="wrapped") as gateway:
        report = get_report(gateway, "--spend")
    assert report["healthy"]
    assert report["findings"]["URL format"]["text"] == CAUSE
    assert report["findings"]["streaming"]["text"].startswith("live")


@pytest.mark.parametrize("behind_proxy", [False, True], ids=["direct", "front"])
def test_a_gateway_that_crashes(monkeypatch: pytest.MonkeyPatch, behind_proxy: bool) -> None:
    """The gateway is crashed once, and awaited; the report has the cause and the setting."""
    monkeypatch.setattr(urls, "RESTART_DELAY", 0.002)
    monkeypatch.setattr(urls, "RESTART_DELAY_BEHIND_PROXY", 0.02)
    with running(url_forms="old_new_drops", restart_seconds=0.015, front=behind_proxy) as gateway:
        result = run_doctor(gateway)
        assert gateway.crashes == 1
        assert run_doctor(gateway, "--json").exit_code == 0
        assert gateway.crashes == 1
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert CAUSE in text
    assert "LOWCODEAPI_URL_FORMAT=old or --url-format old" in text
    assert f"Token, account and the {FREE} checked endpoints work. Not tried: responses" in text
    assert "All good" not in text


@pytest.mark.parametrize("behind_proxy", [False, True], ids=["direct", "front"])
def test_a_gateway_that_crashes_in_both_formats(
    monkeypatch: pytest.MonkeyPatch, behind_proxy: bool
) -> None:
    """No endpoint with an id is called; the others are checked."""
    monkeypatch.setattr(urls, "RESTART_DELAY", 0.002)
    monkeypatch.setattr(urls, "RESTART_DELAY_BEHIND_PROXY", 0.02)
    monkeypatch.setattr(urls, "RESTART_PATIENCE", 0.2)
    with running(url_forms="both_drop", restart_seconds=0.015, front=behind_proxy) as gateway:
        report = get_report(gateway)
        assert gateway.crashes <= (5 if behind_proxy else 3)
    endpoint_states = [endpoint["state"] for endpoint in report["endpoints"]]
    assert endpoint_states.count("failed") == 1 or behind_proxy
    assert endpoint_states.count("unknown") == 9
    assert report["findings"]["URL format"]["state"] == "failed"
    assert "in both formats" in report["findings"]["URL format"]["text"]


def test_the_format_of_the_command_line() -> None:
    """``--url-format`` and the environment prevent the crash; the error names an invalid value."""
    with running(url_forms="old_new_drops", restart_seconds=0.015) as gateway:
        env = connected_to(gateway)
        result = CliRunner().invoke(app, ["--url-format", "old", "doctor"], env=env)
        assert result.exit_code == 0
        env["LOWCODEAPI_URL_FORMAT"] = "old"
        assert CliRunner().invoke(app, ["doctor"], env=env).exit_code == 0
        assert gateway.crashes == 0
        invalid = CliRunner().invoke(app, ["--url-format", "older", "doctor"], env=env)
    assert invalid.exit_code == 2
    assert "url_format: must be" in invalid.stderr


def test_paid_endpoints(gateway: Emulator) -> None:
    """With ``--spend`` each paid API is tried once, and nothing is left to try."""
    report = get_report(gateway, "--spend")
    assert (
        report["verdict"]
        == f"All good: token, account and the {FREE + PAID} checked endpoints work."
    )
    sent = [request.path.removeprefix("/xai") for request in gateway.requests]
    for path in ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/images/generations"):
        assert sent.count(path) == 1


def test_an_untrusted_certificate() -> None:
    """If the certificate is not trusted, the hint of the error is printed: SSL_CERT_FILE."""
    error = CertificateVerificationError("certificate verify failed", hint="Set SSL_CERT_FILE.")
    result = CheckResult(LIST_MODELS, "failed", "connection failed", [], error)
    finding = find_all([result], "https://gateway.example/xai")[0]
    assert finding.hint == "Set SSL_CERT_FILE. Then run the doctor again."


@pytest.mark.parametrize("args", [(), ("--spend",)])
def test_no_server(args: tuple[str, ...]) -> None:
    """If the connection is refused, only the base URL, the reason and a hint are printed."""
    with socket.socket() as bound:
        # Bound, so that no other process gets the port; without listening, so that it refuses.
        bound.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{bound.getsockname()[1]}/xai"
        env = {"LOWCODEAPI_API_TOKEN": "at_r0123456789abcdef", "LOWCODEAPI_BASE_URL": base_url}
        result = CliRunner().invoke(app, ["doctor", *args], env=env)
        as_json = CliRunner().invoke(app, ["doctor", "--json"], env=env)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{base_url}: Connection refused by the gateway at")
    assert len(result.stdout.splitlines()) <= 2
    assert len(json.loads(as_json.stdout)["problems"]) == 1


def test_a_gateway_that_does_not_respond(gateway: Emulator) -> None:
    """After two timeouts the other endpoints are not checked."""
    gateway.inject(*[Stall(30)] * 26)
    report = get_report(gateway, "--timeout", "0.2")
    assert "timed out" in report["verdict"]
    wait_until(lambda: len(gateway.requests) >= 2)
    assert len(gateway.requests) == 2


@pytest.mark.parametrize(
    ("streaming", "text"),
    [
        ("live", "live, chunk by chunk ("),
        ("buffered", "buffered, all at once ("),
        ("string", "buffered, all at once, as a string inside JSON ("),
    ],
)
def test_stream_delivery(streaming: Any, text: str) -> None:
    """Live and buffered streams, and streams inside JSON, are recognized in every envelope."""
    for envelope in ("result", "data", "bare"):
        with running(streaming=streaming, envelope=envelope) as gateway:
            report = get_report(gateway, "--spend")
        assert report["healthy"]
        assert report["findings"]["streaming"]["text"].startswith(text)
        assert report["findings"]["envelope"]["text"].startswith(envelope)


def test_the_paid_requests(gateway: Emulator) -> None:
    """Both streams use the given model and a token limit, and store nothing."""
    get_report(gateway, "--spend", "--model", "grok-4.3")
    bodies = {request.path.rpartition("/v1/")[2]: request.body for request in gateway.requests}
    response, completion = bodies["responses"], bodies["chat/completions"]
    for body, limit in ((response, "max_output_tokens"), (completion, "max_completion_tokens")):
        assert (body["model"], body["stream"]) == ("grok-4.3", True)
        assert body[limit] < 100
    assert response["store"] is False


@pytest.mark.parametrize(
    ("faults", "refused"),
    [
        ([Refuse(404)], ["responses"]),
        ([Stall(0), Refuse(404)], ["chat/completions"]),
        ([Refuse(404), Refuse(404)], ["responses", "chat/completions"]),
    ],
)
def test_one_of_two_streamed_apis_is_enough(
    gateway: Emulator, faults: list[Fault], refused: list[str]
) -> None:
    """The delivery is that of the first stream that works; each API that fails is reported."""
    gateway.inject(*[Stall(0)] * FREE, *faults)
    report = get_report(gateway, "--spend")
    failed = [end["path"] for end in report["endpoints"] if end["state"] == "failed"]
    assert failed == [f"/v1/{path}" for path in refused]
    assert states(report)["streaming"] == ("failed" if len(refused) == 2 else "ok")
    expected = {0: None, 1: "ok", 2: None}[len(refused)]
    if refused == ["responses"]:
        expected = "warning"
        assert "api='auto' uses chat completions" in report["findings"]["chat API"]["text"]
    assert states(report).get("chat API") == expected
    assert not report["healthy"]


def test_a_paid_request_that_fails(gateway: Emulator) -> None:
    """An error of the paid request is a finding, without the token that the response quotes."""
    report = get_report(gateway, "--spend", "--model", f"x{gateway.api_token}")
    assert states(report)["streaming"] == "failed"
    assert "[redacted]" in report["findings"]["streaming"]["text"]
    assert report["verdict"] == f"3 of the {FREE + PAID} checked endpoints failed."


def test_a_token_as_model_is_rejected(gateway: Emulator) -> None:
    """A token as the model is rejected before a request; the message has the argument only."""
    gateway.requests.clear()
    for command in (["doctor", "--spend", "--json"], ["chat", "Hello"]):
        env = connected_to(gateway)
        result = CliRunner().invoke(app, [*command, "--model", gateway.api_token], env=env)
        assert result.exit_code == 2
        assert "model: its value looks like a credential" in " ".join(result.output.split())
        assert gateway.api_token not in result.output
    assert not gateway.requests


@pytest.mark.parametrize(
    ("fault", "summary", "hint"),
    [
        (Refuse(503, "Busy."), "503 from xAI", "run the doctor again"),
        (Refuse(429, "Slow down."), "429 from xAI", "run the doctor again"),
        (Html(502), "502", "run the doctor again"),
        (
            Garbage(b"<html>hello</html>", "text/html"),
            "invalid response",
            "Check base_url and proxy",
        ),
        (Refuse(404, "Not Found", source="gateway", shape="message"), "404 from the gateway", ""),
    ],
    ids=["busy", "limited", "proxy", "page", "no route"],
)
def test_one_failure_does_not_end_the_checks(
    gateway: Emulator, fault: Fault, summary: str, hint: str
) -> None:
    """An endpoint that fails is reported with a hint; all others are checked too."""
    gateway.inject(fault)
    report = get_report(gateway)
    failed = {
        endpoint["name"]: endpoint["summary"]
        for endpoint in report["endpoints"]
        if endpoint["state"] == "failed"
    }
    assert list(failed) == ["Get API Key"]
    assert failed["Get API Key"].startswith(summary)
    assert report["verdict"] == f"1 of the {FREE} checked endpoints failed."
    (problem,) = report["problems"]
    assert problem["name"] == "Get API Key"
    assert hint in (problem["hint"] or "")


def test_an_invalid_xai_key(gateway: Emulator) -> None:
    """A key that xAI rejects is distinguished from a token that the gateway rejects."""
    gateway.inject(Refuse(400, "Incorrect API key provided: xai-abcdefgh."))
    report = get_report(gateway)
    assert (states(report)["token"], states(report)["xAI key"]) == ("ok", "failed")
    assert "console.x.ai" in report["findings"]["xAI key"]["hint"]
    assert "xai-abcdefgh" not in json.dumps(report)


def test_a_blocked_team(gateway: Emulator) -> None:
    """A team that xAI has blocked is a failure although every endpoint works."""
    gateway.inject(Garbage(KEY, "application/json"))
    report = get_report(gateway)
    assert states(report)["xAI team"] == "failed"
    assert report["findings"]["envelope"]["state"] == "warning"
    assert "team" in report["verdict"]


@pytest.mark.parametrize("token", ["at_r" + "f" * 32, "notatoken"])
def test_an_invalid_token(gateway: Emulator, token: str) -> None:
    """An unknown or malformed token is reported, with the URL where to create a valid one."""
    report = get_report(gateway, token=token)
    assert report["verdict"] == "The gateway does not accept this token."
    assert "https://lowcodeapi.com" in report["problems"][0]["hint"]


def test_a_wrong_base_url(gateway: Emulator) -> None:
    """A server that has none of the endpoints is distinguished from no server."""
    env = {**connected_to(gateway), "LOWCODEAPI_BASE_URL": f"{gateway.origin}/other"}
    result = CliRunner().invoke(app, ["doctor"], env=env)
    assert result.exit_code == 1
    assert "is not the gateway for xAI" in result.stdout
    assert "/xai" in result.stdout


def test_the_screen(gateway: Emulator) -> None:
    """The output fits 100 columns, has a row for each endpoint, and ends with the verdict."""
    screen = run_doctor(gateway).stdout.splitlines()
    assert max(map(len, screen)) <= 100
    assert len(screen) <= 40
    assert "Not tried: responses" in " ".join(screen[-2:])
    assert sum("/v1/" in line and line.startswith("ok") for line in screen) == FREE


def test_the_report_file(gateway: Emulator, tmp_path: Path) -> None:
    """``--report`` writes the same JSON as ``--json``, without contents of responses."""
    path = tmp_path / "report.json"
    gateway.inject(Garbage(KEY, "application/json"))
    result = run_doctor(gateway, "--spend", "--json", "--report", str(path))
    text = path.read_text()
    assert result.exit_code == 1
    assert text == result.stdout
    report = json.loads(text)
    assert len(report["endpoints"]) == FREE + PAID
    (file,) = [item for item in report["endpoints"] if item["name"] == "Get File Metadata"]
    (attempt,) = file["attempts"]
    assert (attempt["status"], attempt["url_format"]) == (404, "new")
    for secret in (gateway.api_token, "secret name", "team-4711", "not found: "):
        assert secret not in text


def test_the_report_of_an_invalid_token_is_redacted(gateway: Emulator, tmp_path: Path) -> None:
    """The gateway quotes a malformed token in its response; the report does not."""
    path = tmp_path / "report.json"
    run_doctor(gateway, "--report", str(path), token="malformed-token-42")
    assert "malformed-token-42" not in path.read_text()


def test_an_unwritable_report_fails_first(gateway: Emulator) -> None:
    """A missing folder is reported before anything is sent."""
    assert run_doctor(gateway, "--report", "/no/such/folder/report.json").exit_code == 2
    assert gateway.requests == []


def test_run_diagnostics(gateway: Emulator) -> None:
    """The function returns a report without the token, and calls ``on_step`` for each endpoint."""
    steps: list[str] = []
    settings = Settings.create(api_token=gateway.api_token, base_url=gateway.base_url)
    report = run_diagnostics(settings, on_step=steps.append)
    assert report.healthy
    assert len(steps) == FREE
    assert gateway.api_token not in repr(report)
