"""URL formats of the gateway: how path parameters are written, and which format works.

The gateway decodes path values and inserts them into xAI's URL as they are. Path parameters are
therefore validated: another character could reach another endpoint with the account's key.
"""

import logging
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote, urlencode

from xai_lowcode.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    UsageError,
    XAILowCodeError,
)
from xai_lowcode.protocol.endpoint import Endpoint, UrlFormat

logger = logging.getLogger("xai_lowcode")

MAX_ID_LENGTH = 512
"""Length of a path parameter, in characters."""

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
    values = {name: check_id(name, ids.get(name, "")) for name in path_parameters(endpoint)}
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


def check_id(name: str, value: str) -> str:
    """Return a path parameter, validated.

    Raises:
        UsageError: It is empty, longer than ``MAX_ID_LENGTH``, or contains other characters than
            letters, digits and ``. _ - :``.
    """
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name}: must not be empty.", field=name)
    if len(value) > MAX_ID_LENGTH:
        raise UsageError(f"{name}: longer than {MAX_ID_LENGTH} characters.", field=name)
    if not _ID.fullmatch(value) or not value.strip("."):
        raise UsageError(
            f"{name}: invalid id {value!r}. Use letters, digits and the characters . _ - : only.",
            field=name,
        )
    return value


class UrlFormatSelector:
    """Selects the URL format of an endpoint and records which one worked.

    One object per client. Threads and tasks may share it: reading and writing a dict entry is
    atomic.

    Args:
        choice: ``"auto"``, or the one format to use.
        parameter_names: The gateway's names for path parameters in the old format, by ours.
    """

    def __init__(
        self,
        choice: Literal["auto", "new", "old"] = "auto",
        parameter_names: Mapping[str, str] = _SAME_NAMES,
    ) -> None:
        self.choice = choice
        self.parameter_names = parameter_names
        self._confirmed: dict[str, UrlFormat] = {}

    def initial(self, endpoint: Endpoint[object]) -> UrlFormat:
        """Return the format of the first request."""
        if self.choice != "auto":
            return self.choice
        return self._confirmed.get(endpoint.path, endpoint.preferred_url_format)

    def should_try_other(self, endpoint: Endpoint[object], error: XAILowCodeError) -> bool:
        """Return whether the URL format may have caused the error.

        Only errors from before xAI was reached count, and only where a second request does no harm.
        """
        return (
            self.choice == "auto"
            and endpoint.method in {"GET", "DELETE"}
            and bool(path_parameters(endpoint))
            and endpoint.path not in self._confirmed
            and is_routing_error(endpoint, error, self)
        )

    def record_success(self, endpoint: Endpoint[object], url_format: UrlFormat) -> None:
        """Record that the endpoint responded in this format."""
        if self._confirmed.get(endpoint.path) != url_format and path_parameters(endpoint):
            self._confirmed[endpoint.path] = url_format
            logger.info("%s: the gateway uses the %s URL format", endpoint.path, url_format)


def is_provider_error(error: XAILowCodeError) -> bool:
    """Return whether the error is xAI's, so that the URL format was right."""
    return isinstance(error, APIStatusError) and error.source == "provider"


def is_routing_error(
    endpoint: Endpoint[object], error: XAILowCodeError, url_formats: UrlFormatSelector
) -> bool:
    """Return whether the URL may have caused the error.

    An error of xAI is one if it quotes the name of a path parameter in place of its value: the
    route was not filled in, or a gateway that knows only the new format took the name for an id.
    """
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
