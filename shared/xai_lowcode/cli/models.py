"""``xai-lowcode models``: list models with context window, prices and aliases."""

from contextlib import suppress
from typing import Any

import typer
from rich.table import Table

from xai_lowcode.api.client import Gateway
from xai_lowcode.chat.profiles import get_profile
from xai_lowcode.cli.console import JsonOption, create_console, echo_json, load_settings
from xai_lowcode.errors import APIStatusError
from xai_lowcode.types.resources import Model

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
        create_console().print(_table(rows))


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


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("model", box=None, pad_edge=False, header_style="bold")
    for heading in ("context", "in $/M", "out $/M", "$/image"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("aliases")
    for row in rows:
        table.add_row(
            row["id"],
            f"{row['context_length']:,}" if row["context_length"] else "",
            _format_usd(row["input_usd_per_million"]),
            _format_usd(row["output_usd_per_million"]),
            _format_usd(row["usd_per_image"]),
            ", ".join(row["aliases"]),
        )
    return table


def _format_usd(amount: float | None) -> str:
    return "" if amount is None else f"{amount:.2f}"
