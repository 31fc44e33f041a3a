"""The waits as a figure: survival curves, and on them what was cut short. Plotly, its script inside the page."""

from __future__ import annotations

from plotly import graph_objects as go

from results import words
from scenarios.model import Lang
from scoring.metrics import SERVICE_LEVEL_S, Metrics
from scoring.statistics.waits import Survival

COLOURS = {"voice": ("#0f5c6e", "rgba(15,92,110,0.13)"), "chat": ("#b4562a", "rgba(180,86,42,0.13)")}
FONT = '"Noto Sans CJK SC","Source Han Sans SC","PingFang SC","Microsoft YaHei",system-ui,sans-serif'


def figure(metrics: Metrics, lang: Lang) -> str | None:
    """Returns the figure as a piece of HTML that carries Plotly's script, or None when nobody reached a queue."""
    curves = {name: found.survival for name, found in metrics.channels.items() if found.survival is not None}
    if not curves:
        return None
    plot = go.Figure()
    for channel, curve in curves.items():
        _draw(plot, channel, curve, lang)
    plot.add_vline(x=SERVICE_LEVEL_S, line={"color": "#8a94a0", "width": 1, "dash": "dot"}, annotation_text="20 s")
    plot.update_layout(
        template="plotly_white",
        height=360,
        margin={"l": 56, "r": 16, "t": 12, "b": 48},
        font={"family": FONT, "size": 13, "color": "#27323d"},
        legend={"traceorder": "normal", "orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
        xaxis={"title": _title("seconds_in_queue", lang), "rangemode": "tozero", "zeroline": False},
        yaxis={
            "title": _title("still_waiting", lang), "range": [-0.03, 1.04], "tickformat": ".0%",
            "zeroline": False,
        },
    )  # fmt: skip
    html: str = plot.to_html(
        full_html=False,
        include_plotlyjs=True,
        config={"displayModeBar": False, "responsive": True, "displaylogo": False},
        div_id="waits-curve",
    )
    return html


def _title(key: str, lang: Lang) -> dict[str, object]:
    return {"text": words.label(key, lang), "font": {"size": 13}}


def _draw(plot: go.Figure, channel: str, curve: Survival, lang: Lang) -> None:
    line, shade = COLOURS[channel]
    title = words.CHANNELS[channel].in_(lang)
    steps = [curve.at(0.0), *curve.steps]
    times = [step.t for step in steps] + [max(curve.horizon, steps[-1].t)]
    steps.append(steps[-1])
    for edge, fill in ([step.low for step in steps], None), ([step.high for step in steps], "tonexty"):
        plot.add_scatter(
            x=times, y=edge, mode="lines", line={"width": 0, "shape": "hv"}, fill=fill, fillcolor=shade,
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    plot.add_scatter(
        x=times, y=[step.s for step in steps], mode="lines", line={"color": line, "width": 2.2, "shape": "hv"},
        name=f"{title} (n={curve.n})", hovertemplate="%{x:.1f} s: %{y:.1%}<extra></extra>",
    )  # fmt: skip
    marks = (
        ("censored", curve.n_censored, curve.censored, "line-ns-open"),
        ("competing", curve.n_competing, curve.competing, "x-thin-open"),
    )
    for name, n, at, symbol in marks:
        if at:
            shown = [min(t, curve.horizon) for t in at]
            plot.add_scatter(
                x=shown, y=[curve.at(t).s for t in shown], mode="markers",
                marker={"symbol": symbol, "size": 10, "color": line, "line": {"width": 2, "color": line}},
                name=f"{title}: {words.label(name, lang)} ({n})",
                hovertemplate="%{x:.1f} s<extra>" + words.label(name, lang) + "</extra>",
            )  # fmt: skip
