"""``shopper campaign``."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Campaigns: plans carried out over hours and weeks.")


@app.callback()
def group() -> None:
    """Campaigns: plans carried out over hours and weeks."""
