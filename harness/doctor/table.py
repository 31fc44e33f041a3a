"""What the doctor found, for the terminal: one line a check, the cures below; and as one JSON document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text as RichText

from harness.doctor.check import Checked, exit_code
from harness.doctor.finding import State
from scenarios.model import Lang, Text

MARKS = {
    State.OK: ("✓", "green"),
    State.WARN: ("!", "bold yellow"),
    State.FAIL: ("✗", "bold red"),
    State.SKIPPED: ("–", "dim"),
}
COUNTS = {
    State.OK: Text(zh="正常", en="ok"),
    State.WARN: Text(zh="注意", en="warnings"),
    State.FAIL: Text(zh="不通过", en="failed"),
    State.SKIPPED: Text(zh="未查", en="not looked at"),
}
TITLE = Text(zh="审核前体检", en="Before the audit")
CURES = Text(zh="处理办法", en="Cures")
VERDICTS = {
    0: Text(zh="可以开始。", en="Ready."),
    1: Text(zh="先处理不通过的项，再开始审核。", en="Cure what failed before the audit begins."),
    2: Text(zh="文件有错，先改正。", en="A file is wrong: correct it first."),
    3: Text(
        zh="拨号规则或授权书不允许，先取得许可。",
        en="The dial policy or the authorisation refuses: obtain permission first.",
    ),
}


def render(console: Console, results: Sequence[Checked], lang: Lang) -> None:
    """Prints the table, the cures of what is not in order, and the count."""
    table = Table(title=TITLE.in_(lang), title_justify="left", title_style="bold", box=box.SIMPLE, show_header=False,
                  pad_edge=False, padding=(0, 1))  # fmt: skip
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for result in results:
        mark, style = MARKS[result.finding.state]
        quiet = "dim" if result.finding.state is State.SKIPPED else ""
        table.add_row(
            RichText(mark, style), RichText(result.check.title.in_(lang), quiet),
            RichText(result.finding.found.in_(lang), quiet),
        )  # fmt: skip
    console.print(table)
    cures = [result for result in results if result.finding.cure is not None]
    if cures:
        console.print(RichText(CURES.in_(lang), "bold"))
    for result in sorted(cures, key=lambda each: each.finding.state is not State.FAIL):
        assert result.finding.cure is not None
        mark, style = MARKS[result.finding.state]
        line = RichText.assemble((f"{mark} ", style), (result.check.title.in_(lang), "bold"), "  ")
        line.append(result.finding.cure.in_(lang))
        console.print(Padding(line, (0, 0, 0, 1)))
    counted = Counter(result.finding.state for result in results)
    parts = [
        RichText(f"{COUNTS[state].in_(lang)} {counted[state]}", MARKS[state][1]) for state in State if counted[state]
    ]
    console.print(RichText("  ").join([*parts, RichText(VERDICTS[exit_code(results)].in_(lang), "bold")]))


def document(results: Sequence[Checked]) -> dict[str, Any]:
    """Returns the results as one JSON document; words in both languages."""
    return {
        "format": 1,
        "exit_code": exit_code(results),
        "checks": [
            {
                "id": result.check.id,
                "title": result.check.title.model_dump(),
                "state": result.finding.state.value,
                "found": result.finding.found.model_dump(),
                "cure": None if result.finding.cure is None else result.finding.cure.model_dump(),
                "figures": dict(result.finding.figures),
                "seconds": round(result.seconds, 3),
            }
            for result in results
        ],
    }
