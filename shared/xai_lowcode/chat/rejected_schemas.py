"""Relax the schemas of requests that xAI has rejected for one of them.

xAI's error mostly names neither the schema nor the keyword, and what it rejects has changed often.
So schemas are sent as they are, until a request is rejected.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from xai_lowcode.errors import BadRequestError
from xai_lowcode.json_schema import relax_schema, sanitize_schema
from xai_lowcode.types.requests import ChatRequest

_REJECTED = re.compile(
    r"Invalid arguments passed to the model|Schema validation failed|grammar is too complex"
)
# Field and name of a schema.
_Place = tuple[str, str]


class RelaxedSchemas:
    """The schemas that are relaxed in the requests of one client.

    A schema is known by its model, its field and its name: agents send it with every step.
    """

    def __init__(self) -> None:
        # With what each one was made from, for which the warning was emitted.
        self._relaxed: dict[tuple[str, _Place], tuple[Mapping[str, Any], Mapping[str, Any]]] = {}

    def apply(self, request: ChatRequest) -> ChatRequest:
        """Return the request with those of its schemas relaxed that are known to need it."""
        if not self._relaxed or not request.clean_schemas:
            return request
        return _with_schemas(
            request,
            {
                place: self._relax(request.model, place, schema)
                for place, schema in _iter_schemas(request)
                if (request.model, place) in self._relaxed
            },
        )

    def revise(
        self, request: ChatRequest, sent: ChatRequest, error: BadRequestError
    ) -> ChatRequest | None:
        """Return the request to send instead of one whose schemas xAI rejected.

        Args:
            request: The request of the caller.
            sent: The request that was sent.
            error: Its error.

        Returns:
            None if it failed for another reason, or has no schema that can be relaxed.
        """
        if not _REJECTED.search(error.message) or not sent.clean_schemas:
            return None
        changed = {}
        for place, schema in _iter_schemas(sent):
            field, name = place
            relaxed = relax_schema(schema, field=field, name=name)
            if relaxed != sanitize_schema(schema, field=field, name=name):
                changed[place] = relaxed
                self._relaxed[sent.model, place] = schema, relaxed
        if changed:
            return _with_schemas(request, changed)
        # They were rejected for something else.
        for place, _ in _iter_schemas(sent):
            self._relaxed.pop((sent.model, place), None)
        return None

    def _relax(self, model: str, place: _Place, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        source, relaxed = self._relaxed.get((model, place), (None, schema))
        if source is None or schema in (source, relaxed):
            return relaxed
        field, name = place
        relaxed = relax_schema(schema, field=field, name=name)
        self._relaxed[model, place] = schema, relaxed
        return relaxed


def _iter_schemas(request: ChatRequest) -> Iterator[tuple[_Place, Mapping[str, Any]]]:
    for tool in request.tools:
        yield ("tools", tool.name), tool.parameters
    response_format = request.response_format
    if response_format is not None and response_format.schema is not None:
        yield ("response_format", response_format.name), response_format.schema


def _with_schemas(request: ChatRequest, schemas: Mapping[_Place, Mapping[str, Any]]) -> ChatRequest:
    """Return the request with other schemas at these places."""
    if not schemas:
        return request
    response_format = request.response_format
    if response_format is not None and response_format.schema is not None:
        place = ("response_format", response_format.name)
        schema = schemas.get(place, response_format.schema)
        response_format = replace(response_format, schema=schema)
    return replace(
        request,
        tools=tuple(
            replace(tool, parameters=schemas.get(("tools", tool.name), tool.parameters))
            for tool in request.tools
        ),
        response_format=response_format,
    )
