"""What every callback of the library obeys: it never raises, and it stamps its instant first."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import Any

import pjsua2 as pj

log = logging.getLogger(__name__)


def guard(method: Callable[..., None]) -> Callable[..., None]:
    """Wraps a void callback: ``method(self, now, …)`` gets the monotonic instant, and its errors go to the log."""

    @functools.wraps(method)
    def guarded(self: Any, *args: Any) -> None:
        now = time.monotonic()
        try:
            method(self, now, *args)
        except BaseException as error:
            log.error("in %s: %s", method.__name__, describe(error))

    return guarded


def describe(error: BaseException) -> str:
    """Returns what went wrong in words (``str`` of a pj error is empty)."""
    return f"{error.reason} ({error.status})" if isinstance(error, pj.Error) else f"{type(error).__name__}: {error}"
