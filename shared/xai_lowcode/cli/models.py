"""``xai-lowcode models``: list models with context window, prices and aliases."""

from contextlib import suppress
from typing import Any

import typer

from xai_lowcode.api.client import Gateway
from xai_lowcode.chat.profiles import get_profile
from xai_lowcode.cli.console import (
    JsonOption,
    echo_json,
    format_examples,
    load_settings,
    print_table,
)
from xai_lowcode.errors import APIStatusError
from xai_lowcode.types.resources import Model

EXAMPLES = format_examples("xai-lowcode models", "xai-lowcode models --json")

_HEADINGS = ("model", "context", "in $/M", "out $/M", "$/image", "aliases")
_PRICES = (
    "input_usd_per_million",
    "cached_input_usd_per_million",
    "output_usd_per_million",
    "usd_per_image",
)


def models(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the models that are available to the account of the token."""
    with Gateway(load_settings(context)) as gateway:
        rows = [_to_dict(model) for model in _list_models(gateway)]
    if as_json:
        echo_json(rows)
    else:
        print_table(_HEADINGS, map(_format_row, rows), right=_HEADINGS[1:5])


def _list_models(gateway: Gateway) -> list[Model]:
    """Return all models, with the fields that only the language and image lists have."""
    details: dict[str, Model] = {}
    for list_details in (gateway.list_language_models, gateway.list_image_models):
        # A gateway may lack these lists.
        with suppress(APIStatusError):
            details.update({model.id: model for model in list_details()})
    return [_merge(details.get(model.id, model), model) for model in gateway.list_models()]


def _merge(details: Model, model: Model) -> Model:
    fields = details.model_dump(exclude_unset=True) | model.model_dump(exclude_unset=True)
    return Model.model_validate(fields)


def _to_dict(model: Model) -> dict[str, Any]:
    context_length = model.context_length
    if context_length is None and model.completion_text_token_price:
        # Only chat models have a context window that the profiles contain.
        context_length = get_profile(model.id).context_window
    return {
        "id": model.id,
        "owned_by": model.owned_by,
        "context_length": context_length,
        **{name: getattr(model, name) for name in _PRICES},
        "aliases": model.aliases,
    }


def _format_row(row: dict[str, Any]) -> list[str]:
    prices = (row["input_usd_per_million"], row["output_usd_per_million"], row["usd_per_image"])
    return [
        row["id"],
        f"{row['context_length']:,}" if row["context_length"] else "",
        *("" if price is None else f"{price:.2f}" for price in prices),
        ", ".join(row["aliases"]),
    ]
