"""Run the checks: every free endpoint, and those that cost money on request."""

from collections.abc import Callable

from xai_lowcode._internal.credentials import token_error
from xai_lowcode.api import endpoints
from xai_lowcode.chat.dialect_selection import get_dialect
from xai_lowcode.chat.profiles import DEFAULT_MODEL
from xai_lowcode.diagnostics.checks import (
    ENDPOINT_CHECKS,
    PAID_CHECKS,
    STREAMED_APIS,
    CheckResult,
    check_streaming,
    run_check,
)
from xai_lowcode.diagnostics.findings import find_all
from xai_lowcode.diagnostics.report import DiagnosticReport
from xai_lowcode.protocol.urls import path_parameters
from xai_lowcode.settings import Settings
from xai_lowcode.transport.sync_client import SyncAPIClient
from xai_lowcode.types.images import DEFAULT_IMAGE_MODEL

# If no server responds to the first endpoints, the others are not checked.
_MAX_UNANSWERED = 2


def run_diagnostics(
    settings: Settings,
    *,
    spend: bool = False,
    model: str | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> DiagnosticReport:
    """Check the free endpoints of the gateway. Errors of requests are reported, not raised.

    Nothing is retried, but a gateway that a URL with an id may have crashed is waited for, and not
    crashed again. Nothing in the account is created, changed or deleted.

    Args:
        settings: Token, base URL and timeouts.
        spend: Whether to pay for a streamed response, a streamed chat completion, a message and an
            image.
        model: Model of the three texts; default: ``DEFAULT_MODEL`` if listed, else the first.
        on_step: Called with the name of each endpoint before it is checked.

    Raises:
        UsageError: ``model`` is a token.
    """
    if (error := token_error({"model": model})) is not None:
        raise error
    results: list[CheckResult] = []
    model_ids: dict[str, str] = {}
    with SyncAPIClient(settings.model_copy(update={"max_retries": 0})) as client:
        for check in ENDPOINT_CHECKS:
            if path_parameters(check.endpoint) and any(
                result.crashed_in_both_formats for result in results
            ):
                text = "not tried: may crash the gateway"
                results.append(CheckResult(check.endpoint, "unknown", text, ()))
                continue
            on_step(check.endpoint.name)
            result = run_check(client, check, model_ids)
            results.append(result)
            if isinstance(result.response, list) and result.response:
                ids = [getattr(item, "id", "") for item in result.response]
                defaults = (name for name in (DEFAULT_MODEL, DEFAULT_IMAGE_MODEL) if name in ids)
                model_ids[check.endpoint.name] = next(defaults, ids[0])
            responded = any(item.status for result in results for item in result.attempts)
            if not responded and len(results) >= _MAX_UNANSWERED:
                break
        else:
            if spend:
                name = endpoints.LIST_LANGUAGE_MODELS.name
                model = model_ids[name] = model or model_ids.get(name, DEFAULT_MODEL)
                for api in STREAMED_APIS:
                    on_step(get_dialect(api).endpoint.name)
                    results.append(check_streaming(client, model, api))
                for check in PAID_CHECKS:
                    on_step(check.endpoint.name)
                    results.append(run_check(client, check, model_ids))
    findings = find_all(results, settings.base_url)
    return DiagnosticReport(settings.base_url, tuple(findings), tuple(results))
