"""``xai-lowcode models``: the account's models, with context, prices and other names."""

from typing import Annotated, Any

import typer
from rich.table import Table

from xai_lowcode.api.client import Gateway
from xai_lowcode.chat.profiles import get_profile
from xai_lowcode.cli.console import client_options, out, write_json
from xai_lowcode.errors import APIStatusError
from xai_lowcode.types.resources import Model


def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models that the token's account can use."""
    with Gateway(client_options(context)) as gateway:
        rows = [_row(model) for model in _complete(gateway)]
    if as_json:
        write_json(rows)
    else:
        out().print(_table(rows))


def _complete(gateway: Gateway) -> list[Model]:
    """The list of all models; what it leaves out is taken from the special lists."""
    special: dict[str, Model] = {}
    for listing in (gateway.list_language_models, gateway.list_image_models):
        # A gateway without these lists still has the one that matters.
        try:
            special.update({model.id: model for model in listing()})
        except APIStatusError:
            continue
    return [_complete_fields(model, special.get(model.id)) for model in gateway.list_models()]


def _complete_fields(model: Model, other: Model | None) -> Model:
    if other is None:
        return model
    known = {**other.model_dump(exclude_unset=True), **model.model_dump(exclude_unset=True)}
    return Model.model_validate(known)


def _row(model: Model) -> dict[str, Any]:
    return {
        "id": model.id,
        "owned_by": model.owned_by,
        "context_length": model.context_length or _context_window(model),
        "input_usd_per_million": model.input_usd_per_million,
        "cached_input_usd_per_million": model.cached_input_usd_per_million,
        "output_usd_per_million": model.output_usd_per_million,
        "usd_per_image": model.usd_per_image,
        "aliases": model.aliases,
    }


def _context_window(model: Model) -> int | None:
    """What this package knows of a chat model whose context the service does not tell."""
    return get_profile(model.id).context_window if model.completion_text_token_price else None


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("model", box=None, pad_edge=False, header_style="bold")
    for heading in ("context", "in $/M", "out $/M", "$/image"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("also called")
    for row in rows:
        context = row["context_length"]
        table.add_row(
            row["id"],
            f"{context:,}" if context else "",
            _usd(row["input_usd_per_million"]),
            _usd(row["output_usd_per_million"]),
            _usd(row["usd_per_image"]),
            ", ".join(row["aliases"]),
        )
    return table


def _usd(amount: float | None) -> str:
    return "" if amount is None else f"{amount:.2f}"
