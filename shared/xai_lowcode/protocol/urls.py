"""URL formats of the gateway: how path parameters are written, and which format works.

The gateway decodes path values and inserts them into xAI's URL as they are. Path parameters are
therefore validated: another character could reach another endpoint with the account's key.
"""

import logging
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote, urlencode

from xai_lowcode._internal.credentials import contains_token
from xai_lowcode.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    CertificateVerificationError,
    RouteNotFoundError,
    UsageError,
    XAILowCodeError,
)
from xai_lowcode.protocol.endpoint import Endpoint, UrlFormat

logger = logging.getLogger("xai_lowcode")

MAX_ID_LENGTH = 512
"""Length of a path parameter, in characters."""

RESTART_PATIENCE = 15.0
"""How long a gateway that may have crashed is waited for, in seconds; it needs 1 to 3."""
RESTART_DELAY = 0.25
RESTART_DELAY_BEHIND_PROXY = 1.0
MAX_RESTART_DELAY = 4.0

FRONT_STATUSES = frozenset({502, *range(520, 527)})
"""Statuses of a proxy in front of a gateway that does not respond."""

URL_FORMAT_HINT = (
    "url_format='old' or 'new' (LOWCODEAPI_URL_FORMAT, --url-format) sets the URL format."
)

_SAME_NAMES: Mapping[str, str] = {}
_PARAMETER = re.compile(r"\{(\w+)\}")
_ID = re.compile(r"[A-Za-z0-9._:-]+")


def path_parameters(endpoint: Endpoint[object]) -> list[str]:
    """Return the names of the parameters in the endpoint's path."""
    return _PARAMETER.findall(endpoint.path)


def build_path(
    endpoint: Endpoint[object],
    url_format: UrlFormat,
    ids: Mapping[str, str],
    query: Mapping[str, str],
    *,
    names: Mapping[str, str] = _SAME_NAMES,
) -> str:
    """Return the path and query below the base URL, without the token.

    In the new format a path parameter is replaced by its value. In the old format the path keeps
    the parameter's name, and the value is a query parameter.

    Args:
        endpoint: The endpoint.
        url_format: The URL format.
        ids: Values of the path parameters.
        query: Further query parameters.
        names: The gateway's names for path parameters in the old format, where they differ.

    Raises:
        UsageError: A path parameter is missing or invalid.

    Example:
        >>> from xai_lowcode.api.endpoints import RETRIEVE_MODEL
        >>> build_path(RETRIEVE_MODEL, "new", {"model_id": "grok-4.7"}, {})
        '/v1/models/grok-4.7'
        >>> build_path(RETRIEVE_MODEL, "old", {"model_id": "grok-4.7"}, {})
        '/v1/models/model_id?model_id=grok-4.7'
    """
    if not query and not ids and "{" not in endpoint.path:
        return endpoint.path
    if "api_token" in query:
        # Given twice, the gateway fails and quotes the token.
        raise UsageError("query: must not contain api_token; it is added.", field="query")
    values = {name: check_id(name, ids.get(name, ""), names) for name in path_parameters(endpoint)}
    query = {name: _query_text(name, value) for name, value in query.items()}
    if url_format == "new":
        path = _PARAMETER.sub(lambda match: quote(values[match[1]], safe=":"), endpoint.path)
        pairs = dict(query)
    else:
        path = _PARAMETER.sub(lambda match: names.get(match[1], match[1]), endpoint.path)
        pairs = {**query, **{names.get(name, name): value for name, value in values.items()}}
    try:
        return f"{path}?{urlencode(pairs)}" if pairs else path
    except UnicodeEncodeError:
        raise UsageError("query: a value contains lone surrogates.", field="query") from None


def _query_text(name: str, value: object) -> str:
    """Return a query value as the gateway reads it: JavaScript writes ``true``, not ``True``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise UsageError(
            f"query: the value of {name} must be a string, a number or a bool,"
            f" not a {type(value).__name__}.",
            field="query",
        )
    return str(value)


def check_id(name: str, value: str, names: Mapping[str, str] = _SAME_NAMES) -> str:
    """Return a path parameter, validated.

    Args:
        name: The name of the parameter.
        value: Its value.
        names: The gateway's names for parameters, where they differ.

    Raises:
        UsageError: It is empty, longer than ``MAX_ID_LENGTH``, contains other characters than
            letters, digits and ``. _ - :``, is the name of the parameter, or is a token.
    """
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name}: must not be empty.", field=name)
    if len(value) > MAX_ID_LENGTH:
        raise UsageError(f"{name}: longer than {MAX_ID_LENGTH} characters.", field=name)
    if contains_token(value):
        value = ""
        raise UsageError(
            f"{name}: its value looks like a credential and would be sent to xAI in the URL.",
            field=name,
            hint="Pass the token as api_token when the client is created.",
        )
    if not _ID.fullmatch(value) or not value.strip("."):
        raise UsageError(
            f"{name}: invalid id {value!r}. Use letters, digits and the characters . _ - : only.",
            field=name,
        )
    if value.lower() in {name.lower(), names.get(name, name).lower()}:
        # In the old format, the gateway would ask xAI for "null".
        raise UsageError(f"{name}: {value!r} is the name of the parameter, not an id.", field=name)
    return value


class GatewayFacts:
    """What this process knows about the URL formats of one gateway, for all its endpoints.

    Threads share it without a lock, so that a forked child can use its copy: each write is atomic,
    and a fact that another thread overwrites is learned again.

    Attributes:
        worked: The formats in which xAI was reached.
        templates: The format that worked last, by path template.
        new_missing: Whether the gateway has no route for a new URL.
        new_unreachable: Whether a request in the new format could not be sent.
        crashed_at: When a request in the new format may have crashed the gateway; None if never.
        old_crashed: Whether a request in the old format crashed it too.
        cause: The failure of the new format, for the log.
    """

    def __init__(self) -> None:
        self.worked: dict[UrlFormat, bool] = {}
        self.templates: dict[str, UrlFormat] = {}
        self.new_missing = False
        self.new_unreachable = False
        self.crashed_at: float | None = None
        self.old_crashed = False
        self.cause = ""
        self._reporter: dict[str, object] = {}

    def is_first_report(self) -> bool:
        """Return whether this is the first call of the method, in whichever thread."""
        caller = object()
        return self._reporter.setdefault("", caller) is caller

    @property
    def new_failed(self) -> bool:
        """Whether the new format failed and never worked, so that the old one is used."""
        failed = self.new_missing or self.new_unreachable or self.crashed_at is not None
        return failed and "new" not in self.worked

    @property
    def both_crash(self) -> bool:
        """Whether both formats may have crashed the gateway, and neither ever worked."""
        return self.old_crashed and not self.worked

    @property
    def new_is_excluded(self) -> bool:
        """Whether the new format is not used again: it may crash the gateway, or is not served."""
        crashed = self.crashed_at is not None
        return self.new_failed and (crashed or (self.new_missing and "old" in self.worked))


_facts: dict[str, GatewayFacts] = {}


def forget_url_formats() -> None:
    """Forget what is known about the URL formats of all gateways. Clients keep what they use."""
    _facts.clear()


class UrlFormatSelector:
    """Selects the URL format of an endpoint, and learns from successes and failures.

    What is learned holds for all endpoints of a gateway and for all clients of the process: some
    gateways crash at every new URL that has a path parameter.

    Args:
        choice: ``"auto"``, or the one format to use.
        parameter_names: The gateway's names for path parameters in the old format, by ours.
        base_url: The gateway; None for one that no other selector knows.
    """

    def __init__(
        self,
        choice: Literal["auto", "new", "old"] = "auto",
        parameter_names: Mapping[str, str] = _SAME_NAMES,
        base_url: str | None = None,
    ) -> None:
        self.choice = choice
        self.parameter_names = parameter_names
        self._base_url = base_url or "The gateway"
        self.facts = GatewayFacts()
        if base_url is not None:
            self.facts = _facts.setdefault(base_url, self.facts)

    def initial(self, endpoint: Endpoint[object]) -> UrlFormat:
        """Return the format of the next request."""
        if self.choice != "auto":
            return self.choice
        if "{" not in endpoint.path:
            return endpoint.preferred_url_format
        facts = self.facts
        if facts.new_is_excluded:
            return "old"
        if known := facts.templates.get(endpoint.path):
            return known
        use_old = facts.new_failed or ("old" in facts.worked and "new" not in facts.worked)
        return "old" if use_old else endpoint.preferred_url_format

    def should_try_other(
        self, endpoint: Endpoint[object], url_format: UrlFormat, error: XAILowCodeError
    ) -> bool:
        """Return whether a failed request is sent again at once, in the other format.

        Only errors from before xAI was reached count, and only where a second request does no harm:
        the gateway's own 404 shows that nothing was forwarded; another failure does not, but GET
        and DELETE may be repeated.
        """
        facts = self.facts
        if (
            self.choice != "auto"
            or facts.templates.get(endpoint.path) == url_format
            or not is_routing_error(endpoint, error, self)
            or (url_format == "old" and facts.new_is_excluded)
        ):
            return False
        if is_missing_route(error):
            return True
        if endpoint.method not in {"GET", "DELETE"}:
            return False
        return not may_have_crashed(error) or (url_format == "new" and "new" not in facts.worked)

    def record_success(self, endpoint: Endpoint[object], url_format: UrlFormat) -> None:
        """Record that xAI was reached in this format."""
        if "{" not in endpoint.path:
            return
        facts = self.facts
        if facts.templates.get(endpoint.path) == url_format:
            return
        facts.templates[endpoint.path] = url_format
        if self.choice == "auto" and url_format == endpoint.preferred_url_format == "old":
            # That shows nothing about the endpoints that prefer the new format.
            return
        facts.worked[url_format] = True
        if facts.is_first_report():
            reason = ""
            if self.choice != "auto":
                reason = f", as url_format={self.choice!r} says"
            elif url_format == "old" and facts.cause:
                reason = f", because the new one failed: {facts.cause}"
            logger.info("%s: using the %s URL format%s", self._base_url, url_format, reason)

    def record_failure(
        self, endpoint: Endpoint[object], url_format: UrlFormat, error: XAILowCodeError, now: float
    ) -> None:
        """Record a failure that says something about the gateway or about a URL format.

        Args:
            endpoint: The endpoint.
            url_format: The format of the request.
            error: The failure.
            now: Monotonic seconds.
        """
        facts = self.facts
        if "{" not in endpoint.path or "new" in facts.worked:
            return
        if url_format == "new":
            if may_have_crashed(error):
                facts.crashed_at = now
            facts.new_unreachable = facts.new_unreachable or is_unreachable(error)
            facts.new_missing = facts.new_missing or is_missing_route(error)
            if facts.new_failed:
                facts.cause = facts.cause or error.message
        elif is_provider_error(error) and is_routing_error(endpoint, error, self):
            # The parameter's name was taken for an id: the URL matched a route of the new format.
            facts.worked["new"] = True
        elif is_missing_route(error) and "old" not in facts.worked:
            # No such route in either format: that shows nothing about the formats.
            facts.new_missing = facts.new_unreachable = False

    def restart_delay(
        self, endpoint: Endpoint[object], error: XAILowCodeError, now: float
    ) -> float | None:
        """Return the seconds until a gateway that may have crashed is asked again, uncounted.

        None if it did not crash lately, or the failure does not mean that it is restarting, or the
        request may have been processed and must not be repeated.
        """
        crashed_at = self.facts.crashed_at
        if self.choice == "new" and "{" in endpoint.path:
            # The setting excludes the format that could be waited for.
            return None
        if crashed_at is None or not 0 <= now - crashed_at < RESTART_PATIENCE:
            return None
        delay = min(max(now - crashed_at, RESTART_DELAY), MAX_RESTART_DELAY)
        if is_unreachable(error):
            return delay
        repeatable = endpoint.idempotent or (endpoint.method == "GET" and self.choice == "auto")
        if repeatable and may_have_crashed(error):
            # Asked again rarely: the old format may crash the gateway as well.
            return (
                delay
                if isinstance(error, APIConnectionError)
                else max(2 * delay, RESTART_DELAY_BEHIND_PROXY)
            )
        return None

    def record_old_crash(self) -> None:
        """Record that the gateway, once restarted, crashed at a URL in the old format too."""
        self.facts.old_crashed = "old" not in self.facts.worked

    def explain(
        self,
        endpoint: Endpoint[object],
        url_format: UrlFormat,
        error: XAILowCodeError,
        first_error: XAILowCodeError | None,
    ) -> None:
        """Add the URL format and the setting to the hint of an error that a URL may have caused."""
        unreachable = first_error is not None and is_unreachable(error)
        if not unreachable and not is_routing_error(endpoint, error, self):
            return
        text = f"The URL was in the {url_format} format"
        if first_error is error:
            text = "Both URL formats failed"
        elif first_error is not None:
            other = "old" if url_format == "new" else "new"
            text += f"; before, in the {other} format: {first_error.message.rstrip('.')}"
        error.hint = " ".join(filter(None, [error.hint, f"{text}. {URL_FORMAT_HINT}"]))


def is_provider_error(error: XAILowCodeError) -> bool:
    """Return whether the error is xAI's, so that the URL format was right."""
    return isinstance(error, APIStatusError) and error.source == "provider"


def is_missing_route(error: XAILowCodeError) -> bool:
    """Return whether the gateway itself has no such route: nothing was forwarded to xAI."""
    return isinstance(error, RouteNotFoundError) and error.source == "gateway"


def is_unreachable(error: XAILowCodeError) -> bool:
    """Return whether the request could not be sent, because nothing accepts connections."""
    return (
        isinstance(error, APIConnectionError)
        and not isinstance(error, APITimeoutError | CertificateVerificationError)
        and not error.request_sent
    )


def may_have_crashed(error: XAILowCodeError) -> bool:
    """Return whether the request may have ended the gateway's process.

    Then its connection is dropped without a response, or a proxy in front of it reports that.
    """
    if isinstance(error, APIConnectionError):
        dropped = error.request_sent and not error.response_started
        return dropped and not isinstance(error, APITimeoutError)
    return (
        isinstance(error, APIStatusError)
        and error.source == "unknown"
        and error.status_code in FRONT_STATUSES
    )


def is_routing_error(
    endpoint: Endpoint[object], error: XAILowCodeError, url_formats: UrlFormatSelector
) -> bool:
    """Return whether the URL may have caused the error.

    An error of xAI is one if it quotes the name of a path parameter in place of its value: the
    route was not filled in, or a gateway that knows only the new format took the name for an id.
    """
    if "{" not in endpoint.path:
        return False
    if isinstance(error, APIConnectionError):
        return not isinstance(error, APITimeoutError) and error.request_sent
    if not isinstance(error, APIStatusError):
        return False
    if is_provider_error(error):
        parameters = path_parameters(endpoint)
        names = {url_formats.parameter_names.get(name, name) for name in parameters}
        return any(
            f"{{{name}}}" in error.message
            or f":{name}" in error.message
            or re.search(rf"[:=] ?{name}\b", error.message)
            for name in names.union(parameters)
        )
    return error.status_code not in {401, 403, 413, 429}
