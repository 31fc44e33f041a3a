"""What a template says of an indicator, a requirement or a switch, in Chinese with the English beside it."""

from __future__ import annotations

from fractions import Fraction

from scenarios.model import Text
from scoring.bands import Bounds, Unit
from scoring.defects import Readings, Switch, defects
from scoring.inputs.fit import BORROW, factors_of
from scoring.inputs.model import shown
from scoring.scheme import Factor, Indicator, Scheme

UNITS: dict[Unit, Text] = {
    "share": Text(zh="比率0–1", en="ratio 0-1"),
    "seconds": Text(zh="秒", en="seconds"),
    "count": Text(zh="数", en="number"),
    "per_week": Text(zh="份/周", en="a week"),
    "per_year": Text(zh="次/年", en="a year"),
    "points": Text(zh="0–100分", en="points 0-100"),
}
PROBES = {
    "full": Text(zh="可测", en="full"),
    "part": Text(zh="部分可测", en="part"),
    "none": Text(zh="不可测", en="none"),
}
BORROWING = Readings({BORROW: True})
_KINDS = {
    "flag": "true | false",
    "number": "数 number",
    "text": "文字 text",
    "table": "表 table {对象 entry: 取值 value}",
}


def both(text: Text) -> str:
    """Returns both wordings on one line."""
    return " ".join(f"{text.zh} / {text.en}".split())


def unit(of: Unit | None) -> str:
    """Returns the words of a unit."""
    return both(UNITS[of]) if of else "无 none"


def weight(indicator: Indicator, scheme: Scheme) -> str:
    """Returns the weight with its unit: percent, or points where occasions are rated."""
    return f"{shown(indicator.weight)}{'分' if scheme.composite.method == 'occasions' else '%'}"


def probe(indicator: Indicator) -> str:
    """Returns what simulation testing can see of an indicator."""
    found = both(PROBES[indicator.probe])
    return f"{found}：{both(indicator.measures)}" if indicator.measures else found


def span(level: Bounds) -> str:
    """Returns an interval as two numbers, the lower one zero where there is none."""
    return f"{shown(level.lower or Fraction())}–{shown(level.upper or Fraction())}"


def factors(indicator: Indicator) -> tuple[Factor, ...]:
    """Returns the factors that an indicator has or may borrow (X26)."""
    return factors_of(indicator, BORROWING)


def switches_of(scheme: Scheme) -> dict[str, tuple[Switch, tuple[str, ...]]]:
    """Returns the switches of the scheme's defects in their order, each with the codes of its defects."""
    found: dict[str, tuple[Switch, tuple[str, ...]]] = {}
    for code in dict.fromkeys(caveat.code for caveat in scheme.defects):
        for switch in defects()[code].switches if code in defects() else ():
            codes = found[switch.key][1] if switch.key in found else ()
            found[switch.key] = (switch, (*codes, code))
    return found


def choices(switch: Switch) -> str:
    """Returns what a switch may be set to."""
    return " | ".join(switch.choices) if switch.choices else _KINDS[switch.kind]


def default(switch: Switch) -> str:
    """Returns how a switch stands if it is left blank."""
    if switch.default is None:
        return "无 none"
    if isinstance(switch.default, bool):
        return str(switch.default).lower()
    return f"{switch.default:g}" if isinstance(switch.default, float) else switch.default
