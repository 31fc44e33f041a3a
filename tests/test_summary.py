"""The summary on the terminal: no rate without n and interval, both languages, nothing lost on a narrow screen."""

import io
import re
from datetime import date

import pytest
from rich.console import Console

from results.observe import table
from results.summary import render
from scoring.metrics import compute
from scoring.scheme import load_scheme
from scoring.scorer import score
from tests.session_factory import AGENT, PERSONA, a_run, chat, voice


def text(sessions, lang="zh", width=160):
    metrics = compute(table(sessions))
    out = io.StringIO()
    card = score(metrics, load_scheme("CMM-525-0005"), today=date(2026, 11, 21))
    render(Console(file=out, width=width), metrics, card, lang)
    return out.getvalue()


def test_every_rate_has_n_and_an_interval():
    lines = text(a_run()).splitlines()
    rates = [
        line for line in lines if re.search(r"\d+\.\d %", line) and re.search(r"[率平]", line) and "A.S" not in line
    ]
    rates = [line for line in rates if "KM" not in line]
    assert len(rates) >= 9
    assert all(re.search(r"\d+/\d+\s+\d+\.\d–\d+\.\d %", line) for line in rates)


def test_waits_have_median_and_p95():
    line = next(line for line in text(a_run()).splitlines() if "平均应答速度 Average" in line)
    assert re.search(r"6\s+4\.36\s+2\.25–7\.16\s+3\.81\s+9\.47", line)


@pytest.mark.parametrize(("lang", "first"), [("zh", "接通率 Connect rate"), ("en", "Connect rate 接通率")])
def test_both_names_the_chosen_language_first(lang, first):
    assert first in text(a_run(), lang)


def test_scorecard_lines_and_what_is_missing():
    out = text(a_run())
    assert re.search(r"A\.SE\.1.*66\.7 % \(n=9\).*不能判定", out)
    assert "未测量" in out
    assert "整体满意度" in out
    assert "X01" in out
    assert "/ 163" in out


def test_no_names():
    out = text(a_run())
    assert AGENT not in out
    assert not any(value in out for value in PERSONA.values())


@pytest.mark.parametrize("sessions", [[], [voice(1)], [chat(1)]])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_small_runs_render(sessions, lang):
    assert "CMM-525-0005" in text(sessions, lang, width=100)
