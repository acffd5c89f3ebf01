"""The examination: every free endpoint, the definition, and a streamed answer if it is paid for."""

import platform
from collections.abc import Callable
from contextlib import closing
from importlib import metadata
from typing import Any

from xai_lowcode._version import __version__
from xai_lowcode.api import endpoints as rows
from xai_lowcode.api.client import Gateway
from xai_lowcode.api.endpoints import CREATE_CHAT_COMPLETION, GATEWAY_ENDPOINTS
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.chat.profiles import DEFAULT_MODEL
from xai_lowcode.diagnostics import checks as findings
from xai_lowcode.diagnostics.checks import (
    ENDPOINT_CHECKS,
    Attempt,
    CheckResult,
    EndpointCheck,
    run_check,
    short_status,
    skipped,
    skipped_checks,
)
from xai_lowcode.diagnostics.recorder import ExchangeRecorder, Streaming, judge_streaming
from xai_lowcode.diagnostics.report import DiagnosticReport
from xai_lowcode.errors import XAILowCodeError
from xai_lowcode.settings import Settings
from xai_lowcode.types.events import UsageReported
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest

# When neither of the first calls is answered, the others would only keep people waiting.
_SIGNS_OF_LIFE = 2
_SILENT = "the gateway does not answer"
_SHORT_ANSWER = 60
_INSTALLED = ("httpx", "langchain-core", "llama-index-core")


def run_diagnostics(
    settings: Settings,
    *,
    spend: bool = False,
    model: str | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> DiagnosticReport:
    """Tries whatever costs nothing, and tells what came of it; no failure ends it early.

    Args:
        settings: Token, address and timeouts; nothing is retried, so that failures are seen.
        spend: Whether a short streamed answer may be paid for.
        model: Who gives that answer; default: the usual model, or the first that is listed.
        on_step: Called with the name of what is tried next.
    """
    watch = ExchangeRecorder()
    settings = settings.model_copy(update={"max_retries": 0})
    with closing(watch.client(settings)) as http_client:
        gateway = Gateway(settings, http_client=http_client)
        asker = ChatModel(settings, http_client=http_client)
        examination = _Runner(gateway, asker, watch, on_step)
        examination.try_endpoints()
        if examination.alive:
            examination.fetch_definition()
            if spend:
                examination.stream(model)
        return examination.diagnosis()


class _Runner:
    """One examination on its way."""

    def __init__(
        self,
        gateway: Gateway,
        asker: ChatModel,
        watch: ExchangeRecorder,
        on_step: Callable[[str], None],
    ) -> None:
        self._asker = asker
        self._gateway = gateway
        self._watch = watch
        self._on_step = on_step
        self._trials: list[CheckResult] = []
        self._ids: dict[str, str] = {}
        self._definition: CheckResult | None = None
        self._streaming: Streaming | None = None
        self._stream_error: XAILowCodeError | None = None
        self._cost: float | None = None

    @property
    def alive(self) -> bool:
        """Whether anybody has answered, or has not yet had the chance."""
        answered = any(exchange.status is not None for exchange in self._watch.exchanges)
        return answered or len(self._trials) < _SIGNS_OF_LIFE

    def try_endpoints(self) -> None:
        """Tries each endpoint that costs nothing."""
        for probe in ENDPOINT_CHECKS:
            if self.alive:
                self._on_step(probe.endpoint.name)
                trial = run_check(self._gateway, self._watch, probe, self._ids)
                self._learn_ids(trial)
            else:
                trial = skipped(probe.endpoint, _SILENT)
            self._trials.append(trial)

    def fetch_definition(self) -> None:
        """Fetches the gateway's description of itself."""
        probe = EndpointCheck(rows.GET_DEFINITION)
        self._on_step(probe.endpoint.name)
        self._definition = run_check(self._gateway, self._watch, probe, {})

    def stream(self, model: str | None) -> None:
        """Pays for a short streamed answer, to see how it comes."""
        name = model or self._ids.get(rows.LIST_LANGUAGE_MODELS.name, DEFAULT_MODEL)
        prompt = Message("user", (TextPart("Count from one to twenty in words."),))
        request = ChatRequest(model=name, messages=(prompt,), max_tokens=_SHORT_ANSWER)
        self._on_step(CREATE_CHAT_COMPLETION.name)
        before = len(self._watch.exchanges)
        try:
            for event in self._asker.stream(request):
                if isinstance(event, UsageReported):
                    self._cost = event.usage.cost_usd
        except XAILowCodeError as error:
            self._stream_error = error
        exchanges = self._watch.exchanges[before:]
        attempts = tuple(Attempt(None, one) for one in exchanges)
        endpoint, problem = CREATE_CHAT_COMPLETION, self._stream_error
        if problem is not None:
            trial = CheckResult(endpoint, "failed", short_status(problem), attempts, error=problem)
        else:
            self._streaming = judge_streaming(exchanges[-1])
            trial = CheckResult(endpoint, "ok", "works, streamed", attempts, request_sent=True)
        self._trials.append(trial)

    def diagnosis(self) -> DiagnosticReport:
        """What all of it means."""
        trials, settings = self._trials, self._asker.settings
        tried = {trial.endpoint.name for trial in trials}
        order = [endpoint.name for endpoint in GATEWAY_ENDPOINTS]
        every = sorted(
            trials + skipped_checks(tried), key=lambda one: order.index(one.endpoint.name)
        )
        found = [
            findings.base_url(trials, settings.base_url),
            findings.token(trials),
            findings.account(trials),
            findings.key(trials),
            findings.team(trials),
            findings.url_form(trials),
            findings.envelope(trials),
            findings.streaming(self._streaming, self._stream_error, cost_usd=self._cost),
            findings.latency(trials),
            findings.definition(self._definition, settings.backend),
        ]
        return DiagnosticReport(
            settings.base_url,
            tuple(found),
            tuple(every),
            self._streaming,
            self._cost,
            versions(),
        )

    def _learn_ids(self, trial: CheckResult) -> None:
        """Notes a model of a list: the usual one if it is there, else the first."""
        if isinstance(trial.answer, list) and trial.answer:
            names = [getattr(one, "id", "") for one in trial.answer]
            usual = DEFAULT_MODEL if DEFAULT_MODEL in names else names[0]
            self._ids[trial.endpoint.name] = usual


def versions() -> dict[str, str]:
    """What is installed, as far as it matters here."""
    found: dict[str, Any] = {"xai-lowcode": __version__, "Python": platform.python_version()}
    for name in _INSTALLED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {**found, "system": f"{platform.system()} {platform.machine()}"}
