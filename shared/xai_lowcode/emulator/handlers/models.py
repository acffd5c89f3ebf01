"""Handlers of the model lists."""

from collections.abc import Callable, Collection

from xai_lowcode.emulator import models
from xai_lowcode.emulator.handler_types import HandlerRequest, HandlerResult
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.provider_errors import not_found

GetModel = Callable[[str, Collection[str]], Json | None]


async def list_all(request: HandlerRequest) -> HandlerResult:
    """List all models."""
    return HandlerResult({"data": _list(request, models.get_model), "object": "list"})


async def list_language_models(request: HandlerRequest) -> HandlerResult:
    """List the language models."""
    return HandlerResult({"models": _list(request, models.get_language_model)})


async def list_image_models(request: HandlerRequest) -> HandlerResult:
    """List the image generation models."""
    return HandlerResult({"models": _list(request, models.get_image_model)})


async def retrieve(request: HandlerRequest) -> HandlerResult:
    """Return one model."""
    return _result(request, models.get_model)


async def retrieve_language_model(request: HandlerRequest) -> HandlerResult:
    """Return one language model."""
    return _result(request, models.get_language_model)


async def retrieve_image_model(request: HandlerRequest) -> HandlerResult:
    """Return one image generation model."""
    return _result(request, models.get_image_model)


def _list(request: HandlerRequest, get: GetModel) -> list[Json]:
    return models.list_models(get, request.emulator.models)


def _result(request: HandlerRequest, get: GetModel) -> HandlerResult:
    name = request.path["model_id"]
    model = get(name, request.emulator.models)
    if model is None:
        raise not_found(f"Model not found: {name}")
    return HandlerResult(model)
