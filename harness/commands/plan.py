"""``shopper plan``."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Plans: what one will do, and what it can show.")


@app.callback()
def group() -> None:
    """Plans: what one will do, and what it can show."""
