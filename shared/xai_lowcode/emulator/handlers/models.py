"""Handlers of the model lists."""

from collections.abc import Awaitable, Callable, Collection

from xai_lowcode.emulator import models
from xai_lowcode.emulator.handler_types import HandlerRequest, HandlerResult
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.provider_errors import require_found

GetModel = Callable[[str, Collection[str]], Json | None]
Handler = Callable[[HandlerRequest], Awaitable[HandlerResult]]


def _lister(get: GetModel, key: str, **fields: str) -> Handler:
    """Return a handler that lists the models which `get` returns an object for."""

    async def handle(request: HandlerRequest) -> HandlerResult:
        return HandlerResult({key: models.list_models(get, request.emulator.models), **fields})

    return handle


def _retriever(get: GetModel) -> Handler:
    """Return a handler that returns one model with `get`."""

    async def handle(request: HandlerRequest) -> HandlerResult:
        name = request.path["model_id"]
        model = get(name, request.emulator.models)
        return HandlerResult(require_found(model, f"Model not found: {name}"))

    return handle


list_all = _lister(models.get_model, "data", object="list")
list_language_models = _lister(models.get_language_model, "models")
list_image_models = _lister(models.get_image_model, "models")
retrieve = _retriever(models.get_model)
retrieve_language_model = _retriever(models.get_language_model)
retrieve_image_model = _retriever(models.get_image_model)
