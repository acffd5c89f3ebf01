"""Run the checks: every free endpoint, and one paid streamed response on request."""

from collections.abc import Callable

from xai_lowcode.api import endpoints
from xai_lowcode.chat.profiles import DEFAULT_MODEL
from xai_lowcode.diagnostics.checks import (
    ENDPOINT_CHECKS,
    CheckResult,
    check_streaming,
    find_all,
    run_check,
)
from xai_lowcode.diagnostics.report import DiagnosticReport
from xai_lowcode.settings import Settings
from xai_lowcode.transport.sync_client import SyncAPIClient

# If no server responds to the first endpoints, the others are not checked.
_MAX_UNANSWERED = 2


def run_diagnostics(
    settings: Settings,
    *,
    spend: bool = False,
    model: str | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> DiagnosticReport:
    """Check the free endpoints of the gateway. Errors are reported, not raised.

    Nothing is retried. Nothing in the account is created, changed or deleted.

    Args:
        settings: Token, base URL and timeouts.
        spend: Whether to pay for one short streamed response.
        model: Model of that response; default: ``DEFAULT_MODEL`` if listed, else the first listed.
        on_step: Called with the name of each endpoint before it is checked.
    """
    results: list[CheckResult] = []
    model_ids: dict[str, str] = {}
    with SyncAPIClient(settings.model_copy(update={"max_retries": 0})) as client:
        for check in ENDPOINT_CHECKS:
            on_step(check.endpoint.name)
            result = run_check(client, check, model_ids)
            results.append(result)
            if isinstance(result.response, list) and result.response:
                ids = [getattr(item, "id", "") for item in result.response]
                model_ids[check.endpoint.name] = DEFAULT_MODEL if DEFAULT_MODEL in ids else ids[0]
            responded = any(item.status for result in results for item in result.attempts)
            if not responded and len(results) >= _MAX_UNANSWERED:
                break
        else:
            if spend:
                on_step(endpoints.CREATE_CHAT_COMPLETION.name)
                default = model_ids.get(endpoints.LIST_LANGUAGE_MODELS.name, DEFAULT_MODEL)
                results.append(check_streaming(client, model or default))
    findings = find_all(results, settings.base_url)
    return DiagnosticReport(settings.base_url, tuple(findings), tuple(results))
