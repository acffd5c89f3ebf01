"""The doctor tells what a gateway did, not what it might do: one gateway for each way to behave."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.cli.commands import connected_to
from xai_lowcode.api.endpoints import GATEWAY_ENDPOINTS
from xai_lowcode.cli import app
from xai_lowcode.diagnostics import run_diagnostics
from xai_lowcode.emulator import Emulator, Fault, Garbage, Html, Refuse, Stall, running
from xai_lowcode.settings import Settings

# Of the POSTs only counting tokens costs nothing and leaves nothing.
FREE = 1 + sum(operation.method != "POST" for operation in GATEWAY_ENDPOINTS)
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


def doctor(gateway: Emulator, *words: str, token: str | None = None) -> Result:
    """Runs the doctor, and makes sure that no token is in what it prints."""
    env = connected_to(gateway, token)
    result = CliRunner().invoke(app, ["doctor", *words], env=env)
    assert env["LOWCODEAPI_API_TOKEN"] not in result.output
    return result


def diagnosis(gateway: Emulator, *words: str, token: str | None = None) -> dict[str, Any]:
    """The doctor's JSON; its findings by name."""
    result = doctor(gateway, "--json", *words, token=token)
    document: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (0 if document["healthy"] else 1)
    document["findings"] = {one["name"]: one for one in document["findings"]}
    return document


def states(document: dict[str, Any]) -> dict[str, str]:
    """The state of each finding."""
    return {name: finding["state"] for name, finding in document["findings"].items()}


def test_a_gateway_that_behaves(gateway: Emulator) -> None:
    """Everything free is tried and works; what costs, or leaves something, is not tried."""
    found = diagnosis(gateway)
    assert found["healthy"]
    assert found["verdict"].startswith("All good")
    assert [one["number"] for one in found["endpoints"]] == [*range(1, 1 + len(GATEWAY_ENDPOINTS))]
    assert sum(one["state"] == "ok" for one in found["endpoints"]) == FREE
    assert {one["said"] for one in found["endpoints"] if one["state"] == "untried"} == {
        "costs",
        "leaves a file behind",
    }
    assert states(found) == dict.fromkeys(found["findings"], "ok") | {"streaming": "untried"}
    assert {request.method for request in gateway.requests} == {"GET", "POST", "DELETE", "PATCH"}
    assert all("completions" not in request.path for request in gateway.requests)


def test_nothing_is_spent_or_changed_without_being_asked(gateway: Emulator) -> None:
    """A file of the account is still there afterwards, and no paid endpoint was called."""
    kept = gateway.add_file("kept.txt", b"kept")
    diagnosis(gateway)
    assert kept in gateway.store.files
    paid = {"/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/images/generations"}
    assert not paid & {request.path.removeprefix("/xai") for request in gateway.requests}


def test_old_urls_data_envelope_buffered_stream() -> None:
    """A gateway of the published kind: each of the three is seen, and none is a failure."""
    with running(url_forms="old", envelope="data", streaming="buffered") as gateway:
        found = diagnosis(gateway, "--spend")
    assert found["healthy"]
    assert found["findings"]["envelope"]["text"].startswith("data (")
    assert found["findings"]["URL form"]["text"] == (
        "old at 10 endpoints with an id; new was tried first and got 404"
    )
    assert found["streaming"]["manner"] == "buffered"
    assert found["cost_usd"] > 0
    (model,) = [one for one in found["endpoints"] if one["name"] == "Retrieve Model"]
    assert [(one["url_form"], one["status"]) for one in model["attempts"]] == [
        ("new", 404),
        ("old", 200),
    ]


def test_a_token_without_an_account(gateway: Emulator) -> None:
    """The token is good, the account is the failure, and its remedy is told once."""
    found = diagnosis(gateway, token=gateway.unconnected_token)
    assert states(found)["token"] == "ok"
    assert states(found)["account"] == "failed"
    assert found["verdict"] == "The token is good, but no xAI key is connected to its account."
    (problem,) = found["problems"]
    assert "connect xAI at https://lowcodeapi.com" in problem["hint"]
    assert sum(one["state"] == "failed" for one in found["endpoints"]) == FREE


def test_new_urls_that_drop_and_wrapped_chunks() -> None:
    """A gateway that dies of new URLs and wraps each chunk works, and both are told."""
    with running(url_forms="old_new_drops", envelope="data", streaming="wrapped") as gateway:
        found = diagnosis(gateway, "--spend")
        screen = doctor(gateway).stdout
    assert found["healthy"]
    assert found["findings"]["URL form"]["text"].endswith("the connection was dropped")
    assert (found["streaming"]["manner"], found["streaming"]["wrapped"]) == ("live", "data")
    assert "old (new: drops)" in screen


@pytest.mark.parametrize("words", [(), ("--spend",)])
def test_a_gateway_that_is_not_there(words: tuple[str, ...]) -> None:
    """Where nobody listens, one sentence names the address and the reason, and nothing else."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/xai"
    env = {"LOWCODEAPI_API_TOKEN": "at_r0123456789abcdef", "LOWCODEAPI_BASE_URL": address}
    result = CliRunner().invoke(app, ["doctor", *words], env=env)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{address}: No answer came from the gateway (ConnectError")
    assert len(result.stdout.splitlines()) <= 2
    found = json.loads(CliRunner().invoke(app, ["doctor", "--json"], env=env).stdout)
    assert len(found["problems"]) == 1


def test_a_silent_gateway_is_given_up_soon(gateway: Emulator) -> None:
    """When the first two calls are not answered in time, the others are not tried."""
    gateway.inject(*[Stall(30)] * 26)
    found = diagnosis(gateway, "--timeout", "0.2")
    assert "in time" in found["verdict"]
    assert len(gateway.requests) == 2


@pytest.mark.parametrize(
    ("streaming", "manner"), [("live", "live"), ("buffered", "buffered"), ("string", "string")]
)
def test_how_a_stream_comes_is_measured(streaming: Any, manner: str) -> None:
    """Live, buffered and inside JSON are told apart by what came, in every envelope."""
    for envelope in ("result", "data", "bare"):
        with running(streaming=streaming, envelope=envelope) as gateway:
            found = diagnosis(gateway, "--spend")
        assert found["healthy"]
        assert found["streaming"]["manner"] == manner
        assert found["findings"]["envelope"]["text"].startswith(envelope)


def test_the_streamed_answer_is_of_the_model_asked_for(gateway: Emulator) -> None:
    """The one paid call goes to the model that was named, with a limit of tokens."""
    diagnosis(gateway, "--spend", "--model", "grok-4.3")
    (body,) = [one.body for one in gateway.requests if one.path.endswith("/chat/completions")]
    assert (body["model"], body["stream"]) == ("grok-4.3", True)
    assert body["max_completion_tokens"] < 100


@pytest.mark.parametrize(
    ("fault", "said", "hint"),
    [
        (Refuse(503, "Busy."), "503 by xAI", "run the doctor again"),
        (Refuse(429, "Slow down."), "429 by xAI", "run the doctor again"),
        (Html(502), "502", "run the doctor again"),
        (Garbage(b"<html>hello</html>", "text/html"), "cannot be read", "proxies"),
        (Refuse(404, "Not Found", source="gateway", shape="message"), "404 by the gateway", ""),
    ],
    ids=["busy", "limited", "proxy", "page", "no route"],
)
def test_one_failure_does_not_end_the_examination(
    gateway: Emulator, fault: Fault, said: str, hint: str
) -> None:
    """An endpoint that fails is named with its hint; all others are tried all the same."""
    gateway.inject(fault)
    found = diagnosis(gateway)
    failed = {one["name"]: one["said"] for one in found["endpoints"] if one["state"] == "failed"}
    assert failed == {"Get API Key": said}
    assert found["verdict"] == f"1 of the {FREE} endpoints that were tried do not work."
    (problem,) = found["problems"]
    assert problem["where"] == ["Get API Key"]
    assert hint in (problem["hint"] or "")


def test_the_key_behind_the_token(gateway: Emulator) -> None:
    """A key that xAI refuses is told apart from a token that the gateway refuses."""
    gateway.inject(Refuse(400, "Incorrect API key provided: xai-abcdefgh."))
    found = diagnosis(gateway)
    assert (states(found)["token"], states(found)["xAI key"]) == ("ok", "failed")
    assert "console.x.ai" in found["findings"]["xAI key"]["hint"]
    assert "xai-abcdefgh" not in json.dumps(found)


def test_a_blocked_team(gateway: Emulator) -> None:
    """A team that xAI has blocked is a failure although every endpoint works."""
    gateway.inject(Garbage(KEY, "application/json"))
    found = diagnosis(gateway)
    assert states(found)["xAI team"] == "failed"
    assert found["findings"]["envelope"]["state"] == "note"
    assert "team" in found["verdict"]


@pytest.mark.parametrize("token", ["at_r" + "f" * 32, "notatoken"])
def test_a_token_that_is_refused(gateway: Emulator, token: str) -> None:
    """An unknown token and a word that is none are told, with the way to a good one."""
    found = diagnosis(gateway, token=token)
    assert found["verdict"] == "The gateway does not accept this token."
    assert "https://lowcodeapi.com" in found["problems"][0]["hint"]


def test_a_wrong_address(gateway: Emulator) -> None:
    """A server that has none of the endpoints is told apart from one that is not there."""
    env = {**connected_to(gateway), "LOWCODEAPI_BASE_URL": f"{gateway.origin}/other"}
    result = CliRunner().invoke(app, ["doctor"], env=env)
    assert result.exit_code == 1
    assert "is not the gateway for xAI" in result.stdout
    assert "/xai" in result.stdout


def test_the_screen(gateway: Emulator) -> None:
    """It fits a screen of 100 columns, ends with the verdict, and has a row for what was tried."""
    screen = doctor(gateway).stdout.splitlines()
    assert max(map(len, screen)) <= 100
    assert len(screen) <= 40
    assert screen[-1].startswith("All good")
    assert sum("/v1/" in line and line.startswith("ok") for line in screen) == FREE


def test_the_report_holds_forms_and_no_contents(gateway: Emulator, tmp_path: Path) -> None:
    """The file tells status, envelope, headers and shapes of errors; nothing that was said."""
    path = tmp_path / "report.json"
    gateway.inject(Garbage(KEY, "application/json"))
    result = doctor(gateway, "--spend", "--report", str(path))
    text = path.read_text()
    document = json.loads(text)
    assert result.exit_code == 1
    assert len(document["endpoints"]) == len(GATEWAY_ENDPOINTS)
    assert document["versions"]["xai-lowcode"]
    refused = next(one for one in document["endpoints"] if one["name"] == "Get File Metadata")
    (attempt,) = refused["attempts"]
    assert (attempt["status"], attempt["url_form"]) == (404, "new")
    assert "content-type" in attempt["header_names"]
    assert attempt["error_shape"]["error"] == {"code": "text", "error": "text"}
    for secret in (gateway.api_token, gateway.origin, "secret name", "team-4711", "not found: "):
        assert secret not in text


def test_the_report_of_a_refused_token_holds_no_echo(gateway: Emulator, tmp_path: Path) -> None:
    """The gateway's answer to a malformed token repeats it; the report does not."""
    path = tmp_path / "report.json"
    doctor(gateway, "--report", str(path), token="malformed-token-42")
    text = path.read_text()
    assert '"logging"' in text
    assert "malformed-token-42" not in text


def test_a_report_that_cannot_be_written_is_told_first(gateway: Emulator) -> None:
    """A folder that is not there is noticed before the examination."""
    assert doctor(gateway, "--report", "/no/such/folder/report.json").exit_code == 2
    assert gateway.requests == []


def test_it_is_a_function_too(gateway: Emulator) -> None:
    """Without a terminal: a diagnosis, and the names of the steps as they are taken."""
    steps: list[str] = []
    settings = Settings.create(api_token=gateway.api_token, base_url=gateway.base_url)
    found = run_diagnostics(settings, on_step=steps.append)
    assert found.healthy
    assert len(steps) == FREE + 1
    assert gateway.api_token not in repr(found)
