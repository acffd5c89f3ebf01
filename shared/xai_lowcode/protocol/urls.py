"""The two URL forms of an endpoint, which of them worked, and which ids may enter a path.

The gateway decodes path values and puts them raw into xAI's URL, so an unchecked id could reach
another endpoint with the account's key.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal
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

_SAME_NAMES: Mapping[str, str] = {}
_PARAMETER = re.compile(r"\{(\w+)\}")
_ID = re.compile(r"[A-Za-z0-9._:-]+")


def path_parameters(operation: Endpoint[object]) -> list[str]:
    """Names of the ids in the endpoint's path."""
    return _PARAMETER.findall(operation.path)


def build_path(
    operation: Endpoint[object],
    form: UrlFormat,
    ids: Mapping[str, str],
    query: Mapping[str, str],
    *,
    names: Mapping[str, str] = _SAME_NAMES,
) -> str:
    """Path and query below the base URL, without the token.

    In the new form an id stands in the path; in the old one the path keeps the parameter's name and
    the value goes into the query. ``names`` gives a gateway's own names for parameters in the old
    form, where they differ from ours.

    Raises:
        UsageError: An id is missing or may not enter a path.

    Example:
        >>> from xai_lowcode.api.endpoints import RETRIEVE_MODEL
        >>> address(RETRIEVE_MODEL, "new", {"model_id": "grok-4.7"}, {})
        '/v1/models/grok-4.7'
        >>> address(RETRIEVE_MODEL, "old", {"model_id": "grok-4.7"}, {})
        '/v1/models/model_id?model_id=grok-4.7'
    """
    if not query and not ids and "{" not in operation.path:
        return operation.path
    if "api_token" in query:
        # Twice, it makes the gateway fail and quote the token.
        raise UsageError("query: api_token is added to every call already.", field="query")
    checked = {name: check_id(name, ids.get(name, "")) for name in path_parameters(operation)}
    if form == "new":
        path = _PARAMETER.sub(lambda match: quote(checked[match[1]], safe=":"), operation.path)
        pairs = dict(query)
    else:
        path = _PARAMETER.sub(lambda match: names.get(match[1], match[1]), operation.path)
        pairs = {**query, **{names.get(name, name): value for name, value in checked.items()}}
    try:
        return f"{path}?{urlencode(pairs)}" if pairs else path
    except UnicodeEncodeError:
        raise UsageError("query: a text with lone surrogates has no form.", field="query") from None


def check_id(name: str, value: str) -> str:
    """Returns the id, or says why it cannot be one.

    Raises:
        UsageError: It is empty, too long, or holds anything but letters, digits and ``. _ - :``.
    """
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name}: an id is needed here.", field=name)
    if len(value) > MAX_ID_LENGTH:
        raise UsageError(
            f"{name}: longer than {MAX_ID_LENGTH} characters, so not an id.", field=name
        )
    if not _ID.fullmatch(value) or not value.strip("."):
        raise UsageError(
            f"{name}: {value!r} is not an id; letters, digits and the signs . _ - : may be used.",
            field=name,
        )
    return value


class UrlFormatSelector:
    """Which URL form an endpoint is asked in, and which one worked.

    One object per client: what is true of one gateway need not be of another. Reading and writing a
    dict entry is atomic, so threads and tasks may share it.

    Args:
        choice: ``"auto"``, or the one form the user wants.
        names: The gateway's names for the ids of the old form, by ours; ``learn`` finds them out.
    """

    def __init__(
        self,
        choice: Literal["auto", "new", "old"] = "auto",
        names: Mapping[str, str] = _SAME_NAMES,
    ) -> None:
        self.choice = choice
        self._given = names
        self._worked: dict[str, UrlFormat] = {}
        self._names: dict[tuple[str, str], Mapping[str, str]] = {}

    def first(self, operation: Endpoint[object]) -> UrlFormat:
        """The form to begin with."""
        if self.choice != "auto":
            return self.choice
        return self._worked.get(operation.path, operation.prefers)

    def should_try_other(self, operation: Endpoint[object], error: XAILowCodeError) -> bool:
        """Whether the error may come from the URL form, so that the other one is worth a request.

        Only what failed before xAI was reached counts, and only where asking twice does no harm.
        """
        return (
            self.choice == "auto"
            and operation.method in {"GET", "DELETE"}
            and bool(path_parameters(operation))
            and operation.path not in self._worked
            and is_routing_error(operation, error, self)
        )

    def names(self, operation: Endpoint[object]) -> Mapping[str, str]:
        """The gateway's names for the ids in an endpoint's path, where they differ from ours."""
        return self._names.get((operation.method, operation.path), self._given)

    def learn(self, operations: Iterable[Endpoint[object]], definition: Mapping[str, Any]) -> int:
        """Takes over the parameter names of a gateway's definition.

        Args:
            operations: The endpoints to look for.
            definition: The definition; its ``paths`` are in the old form.

        Returns:
            How many endpoints with ids were found.
        """
        known = definition["paths"]
        paths = known.items() if isinstance(known, dict) else ()
        found = 0
        for operation in filter(path_parameters, operations):
            pattern, method = _path_pattern(operation.path), operation.method.lower()
            matches = (
                pattern.fullmatch(path)
                for path, methods in paths
                if isinstance(methods, dict) and method in methods
            )
            match = next((match for match in matches if match), None)
            if match is not None:
                self._names[operation.method, operation.path] = match.groupdict()
                found += 1
        return found

    def remember(self, operation: Endpoint[object], form: UrlFormat) -> None:
        """Notes that the endpoint answered in this form."""
        if self._worked.get(operation.path) != form and path_parameters(operation):
            self._worked[operation.path] = form
            logger.info("%s: the gateway answers in the %s URL form", operation.path, form)


def _path_pattern(template: str) -> re.Pattern[str]:
    """Matches the old-form path of an endpoint, whatever its parameters are called there."""
    literals = _PARAMETER.split(template)
    pieces = [
        rf"\{{?(?P<{piece}>\w+)\}}?" if index % 2 else re.escape(piece)
        for index, piece in enumerate(literals)
    ]
    return re.compile("".join(pieces), re.ASCII)


def is_provider_error(error: XAILowCodeError) -> bool:
    """Whether xAI itself answered, so that the URL form was right."""
    return isinstance(error, APIStatusError) and error.maker == "provider"


def is_routing_error(
    operation: Endpoint[object], error: XAILowCodeError, forms: UrlFormatSelector
) -> bool:
    """Whether the error may come from the address itself.

    xAI's own error blames it when it names the parameter in place of the id: the route was not
    filled in, or a gateway that knows the new form only took the old form's name for an id.
    """
    if isinstance(error, APIConnectionError):
        return not isinstance(error, APITimeoutError) and error.reached
    if not isinstance(error, APIStatusError):
        return False
    if is_provider_error(error):
        names = {forms.names(operation).get(name, name) for name in path_parameters(operation)}
        text = error.message
        return any(
            f"{{{name}}}" in text or f":{name}" in text or re.search(rf"[:=] ?{name}\b", text)
            for name in names.union(path_parameters(operation))
        )
    return error.status_code not in {401, 403, 413, 429}
