"""Handlers of the model lists."""

from typing import Any

from xai_lowcode.emulator import models
from xai_lowcode.emulator.handler_types import HandlerRequest, HandlerResult, not_found


async def list_all(request: HandlerRequest) -> HandlerResult:
    """List all models."""
    del request
    return HandlerResult({"data": models.list_models(), "object": "list"})


async def list_language_models(request: HandlerRequest) -> HandlerResult:
    """List the language models."""
    del request
    return HandlerResult({"models": models.list_models(models.get_language_model)})


async def list_image_models(request: HandlerRequest) -> HandlerResult:
    """List the image generation models."""
    del request
    return HandlerResult({"models": models.list_models(models.get_image_model)})


async def retrieve(request: HandlerRequest) -> HandlerResult:
    """Return one model."""
    return _result(request, models.get_model(request.path["model_id"]))


async def retrieve_language_model(request: HandlerRequest) -> HandlerResult:
    """Return one language model."""
    return _result(request, models.get_language_model(request.path["model_id"]))


async def retrieve_image_model(request: HandlerRequest) -> HandlerResult:
    """Return one image generation model."""
    return _result(request, models.get_image_model(request.path["model_id"]))


def _result(request: HandlerRequest, model: dict[str, Any] | None) -> HandlerResult:
    if model is None:
        raise not_found(f"Model not found: {request.path['model_id']}")
    return HandlerResult(model)
