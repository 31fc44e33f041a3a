"""A check, and how checks are carried out: side by side or alone, each with a time-out, none able to bring down all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from harness.doctor.finding import Finding, State, fail, of_error
from scenarios.errors import ShopperError
from scenarios.model import Text

PATIENCE_S = 20.0


@dataclass(frozen=True)
class Check:
    """One question put to this machine, its files or its lines."""

    id: str
    title: Text
    look: Callable[[], Awaitable[Finding]]
    patience_s: float = PATIENCE_S
    alone: bool = False  # measures time, or needs a core: nothing else runs beside it


@dataclass(frozen=True)
class Checked:
    """A check that was carried out, and how long it took."""

    check: Check
    finding: Finding
    seconds: float


async def carry_out(
    checks: Sequence[Check],
    on_begin: Callable[[Check], None] = lambda _c: None,
    on_end: Callable[[Checked], None] = lambda _c: None,
) -> list[Checked]:
    """Carries out all checks: those that may run side by side first, then the others one after another.

    Returns:
        The results in the order of ``checks``.
    """
    results: dict[str, Checked] = {}

    async def one(check: Check) -> None:
        on_begin(check)
        results[check.id] = await _bounded(check)
        on_end(results[check.id])

    await asyncio.gather(*(one(check) for check in checks if not check.alone))
    for check in checks:
        if check.alone:
            await one(check)
    return [results[check.id] for check in checks]


async def _bounded(check: Check) -> Checked:
    started = time.monotonic()
    try:
        async with asyncio.timeout(check.patience_s):
            finding = await check.look()
    except TimeoutError:
        finding = fail(
            Text(zh=f"{check.patience_s:g} 秒内没有结果", en=f"no result within {check.patience_s:g} s"),
            Text(
                zh="机器可能过载，或网络没有回应：稍后再试；再次超时请看 docs/doctor.md 里这一项",
                en="the machine may be overloaded, or the network silent: try again, then see it in docs/doctor.md",
            ),
        )
    except ShopperError as error:
        finding = of_error(error, Text(zh="按上面这句话处理", en="do as that sentence says"))
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        finding = fail(
            Text(zh=f"这项检查自己出错了：{words}", en=f"the check itself failed: {words}"),
            Text(
                zh="这是本工具的缺陷，请连同这一行报告", en="this is a fault of the harness: report it with this line"
            ),
        )
    return Checked(check, finding, time.monotonic() - started)


def exit_code(results: Sequence[Checked]) -> int:
    """Returns 0, or what the failures amount to: a wrong file (2) before a refusal (3) before anything else (1)."""
    codes = set(_failures(results))
    return next((code for code in (2, 3, 1) if code in codes), 0)


def _failures(results: Sequence[Checked]) -> Iterator[int]:
    for result in results:
        if result.finding.state is State.FAIL:
            yield result.finding.exit_code
