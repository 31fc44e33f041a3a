"""``shopper authorise``."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Authorisations: check them against a plan.")


@app.callback()
def group() -> None:
    """Authorisations: check them against a plan."""
