"""The words of the summary and of the report, in Chinese and English, and how numbers are written.

Rounding happens here and only here: what is compared is never rounded (X14).
"""

from __future__ import annotations

from fractions import Fraction

from scenarios.model import Lang, Text
from scoring.metrics import ChannelMetrics
from scoring.scorecard import Line, Range, Scorecard
from scoring.statistics import Rate, Verdict
from scoring.statistics.waits import Waits


def _t(zh: str, en: str) -> Text:
    return Text(zh=zh, en=en)


CHANNELS = {"voice": _t("语音", "Voice"), "chat": _t("在线", "Chat")}

OUTCOMES = {
    "ANSWERED": _t("人工接听", "answered by a human"),
    "LIMIT": _t("达到等待上限", "gave up at the limit"),
    "DROPPED": _t("排队中被挂断", "dropped in the queue"),
    "CALLBACK": _t("改为回电或留言", "call-back offered instead"),
    "IVR_SERVED": _t("自助办结", "served without a human"),
    "IVR_FAIL": _t("未能转到人工", "no way to a human"),
    "NET_FAIL": _t("未接通中心", "centre not reached"),
    "BLOCKED": _t("按策略未拨", "refused by policy"),
    "MISSED": _t("错过时段", "window missed"),
    "INVALID": _t("本方故障", "our own fault"),
    "LOST": _t("中断不明", "lost in a crash"),
}

STAGES = {
    "planned": _t("计划", "planned"),
    "ended": _t("已执行", "carried out"),
    "valid": _t("有效", "valid"),
    "asked": _t("请求人工", "asked for a human"),
    "queued": _t("进入排队", "reached the queue"),
    "answered": _t("人工接听", "answered"),
}

VERDICTS = {verdict: _t(verdict.value, verdict.en) for verdict in Verdict}

RESOLUTIONS = {
    "resolved": _t("已解决", "resolved"),
    "not_resolved": _t("未解决", "not resolved"),
    "unknown": _t("待复核", "unknown"),
}

SPEAKERS = {
    "shopper": _t("测试客户", "shopper"),
    "ivr": _t("语音菜单", "menu"),
    "bot": _t("机器人", "bot"),
    "agent": _t("坐席", "agent"),
    "system": _t("系统", "system"),
    "unknown": _t("对方", "far end"),
}

PARTS = {
    "button": _t("快捷回复", "quick reply"),
    "link": _t("链接", "link"),
    "file": _t("文件", "file"),
    "image": _t("图片", "image"),
    "card": _t("卡片", "card"),
}

EVENTS = {
    "choices": _t("快捷回复", "quick replies"),
    "dialled": _t("发起呼叫", "dialled"),
    "ringing": _t("振铃", "ringing"),
    "early_media": _t("早期媒体", "early media"),
    "connected": _t("信令接通", "connected"),
    "prompt": _t("提示音", "prompt"),
    "prompt_end": _t("提示音止", "prompt ends"),
    "tone": _t("信号音", "tone"),
    "line_open": _t("线路接通", "line opens"),
    "stall": _t("停顿", "standstill"),
    "no_audio": _t("未收到音频", "no audio came"),
    "tone_end": _t("信号音止", "tone ends"),
    "music": _t("等待音乐", "music"),
    "music_end": _t("音乐止", "music ends"),
    "speech": _t("真人语音", "live speech"),
    "page_loaded": _t("页面载入", "page loaded"),
    "widget_ready": _t("窗口就绪", "widget ready"),
    "opened": _t("打开窗口", "opened"),
    "first_token": _t("回复首字", "first token"),
    "handoff": _t("转为人工", "hand-off"),
    "typing": _t("对方输入中", "typing"),
    "notice": _t("系统通知", "notice"),
    "message": _t("对方发言", "message"),
    "said": _t("我方发言", "said"),
    "pressed": _t("我方按键", "pressed"),
    "request": _t("▸ 请求人工", "▸ asked for a human"),
    "queue": _t("▸ 进入排队", "▸ queue entry"),
    "answer": _t("▸ 坐席接起", "▸ agent connected"),
    "first_word": _t("▸ 坐席首句", "▸ agent's first word"),
    "ended": _t("结束", "ended"),
    "first_audio": _t("首个语音包", "first packet of sound"),
    "stream_change": _t("语音流改变", "stream changes"),
    "rtp_gap": _t("语音包中断", "no packets"),
    "no_capture": _t("未抓包", "no capture"),
    "capture_loss": _t("抓包遗漏", "packets missed"),
    "quality": _t("通话质量（估计）", "voice quality (estimate)"),
    "level": _t("电平（估计）", "level (estimate)"),
    "clipping": _t("削波（估计）", "clipping (estimate)"),
    "dead_air": _t("无声（估计）", "dead air (estimate)"),
    "one_way": _t("单通（估计）", "one-way audio (estimate)"),
    "talk_over": _t("对方与我方同时说话", "the far end talks over us"),
}

METHODS = {
    "wire": _t("信令/报文", "wire"),
    "callback": _t("软件回调", "callback"),
    "tone": _t("信号音识别", "tone"),
    "voice": _t("语音检测", "voice"),
    "prompt": _t("录音比对", "prompt"),
    "asr": _t("语音转写", "asr"),
    "dom": _t("页面观测", "page"),
    "frame": _t("网络帧", "frame"),
    "manual": _t("人工", "manual"),
    "harness": _t("推定", "inferred"),
}

LABELS = {
    "title": _t("模拟测试报告", "Simulation-testing report"),
    "subtitle": _t("神秘客户拨测 · 服务特性测评", "Mystery-shopper probes · evaluation of service characteristics"),
    "only_sampled": _t(
        "仅代表抽测时段，不代表全部服务时段；各值为核查证据，定量评价以受审核方系统数据为准（13.2.1）。",
        "These results stand for the sampled hours only. They are verification evidence; the centre's own system data"
        " are what the rule scores (13.2.1).",
    ),
    "sandbox": _t(
        "受测对象为内置沙箱中心，非真实机构。", "The centre under test is the built-in sandbox, no real organisation."
    ),
    "run": _t("运行", "Run"),
    "target": _t("受测中心", "Target"),
    "plan": _t("测试方案", "Plan"),
    "seed": _t("随机种子", "Seed"),
    "decision_rule": _t("判定准则", "Decision rule"),
    "hash": _t("哈希", "hash"),
    "versions": _t("软件版本", "Versions"),
    "period": _t("抽测时段（UTC）", "Sampled period (UTC)"),
    "made": _t("报告日期", "Date of report"),
    "scheme": _t("认证规则", "Scheme"),
    "in_force": _t("有效期", "in force"),
    "flow": _t("样本流程", "From plan to answer"),
    "flow_note": _t(
        "每一步流失的会话及其原因；本方故障、错过时段、策略拒拨与中断不计入任何比率。",
        "Which sessions were lost at each step, and why. Our own faults, missed windows, refusals and crashes are in no"
        " rate.",
    ),
    "campaign_flow": _t("流程表", "Flow table"),
    "campaign_flow_note": _t(
        "每一步 = 下一步 + 其间流失，逐项相符。接通中心：页面、菜单、排队或人工已到达，仅有信令接通不算；"
        "未接通中心的拨测计入网络故障率。计分：至少一项计分指标采用。灰色为尚待进行，不是流失。",
        "Each stage is the next one plus what was lost between them, exactly. Connected: page, menu, queue or a person"
        " was reached, a 200 OK is not enough; what was not reached counts in the rate of network failures. Scored: at"
        " least one scored indicator counts it. Grey is still to come, not lost.",
    ),
    "as_of": _t("截至", "as of"),
    "by_plan": _t("方案内 {plan}，替补 {more}", "by the plan {plan}, in place of others {more}"),
    "deviations": _t("方案偏离", "Deviations from the plan"),
    "deviations_note": _t(
        "首次拨测后方案即冻结；此后的每次更改均须签署，并列于此。",
        "The plan is frozen at the first attempt; each later change is signed, and listed here.",
    ),
    "no_deviations": _t("无：自首次拨测起方案未更改。", "None: the plan has not changed since the first attempt."),
    "unsigned": _t(
        "运行文件夹中的 plan.yaml 与登记的哈希不符，且无签署的偏离。",
        "The plan.yaml in the run's folder does not have the recorded hash, and nobody signed for a change.",
    ),
    "deviation_at": _t("时间（UTC）", "when (UTC)"),
    "deviation_by": _t("签署人", "signed by"),
    "deviation_old": _t("原方案 SHA-256", "old plan SHA-256"),
    "deviation_new": _t("新方案 SHA-256", "new plan SHA-256"),
    "other_reasons": _t("其他{n}种原因", "{n} other reasons"),
    "losses": _t("流失及原因", "lost, and why"),
    "rates": _t("比率", "Rates"),
    "rates_note": _t(
        "点为估计值，横线为95%置信区间（Wilson）。竖线为规则要求。",
        "The dot is the estimate, the bar its 95 % interval (Wilson); the tick is what the rule demands.",
    ),
    "waits": _t("时间（秒）", "Times (seconds)"),
    "waits_note": _t(
        "均值的95%区间为BCa自助法（种子{seed}），超过{whole}个值时为其闭式ABC。p95为实测值。",
        "The mean's 95 % interval is a BCa bootstrap (seed {seed}), its closed form ABC beyond {whole} values."
        " p95 is an observed value.",
    ),
    "curve": _t("排队等待", "Waiting in the queue"),
    "curve_note": _t(
        "仍在等待的比例（Kaplan–Meier，阴影为95%区间）。竖划为截尾（达到上限或本方故障），×为被挂断或改为回电：此类来电永不会被接听。",
        "Share still waiting (Kaplan–Meier, 95 % shaded). Ticks are waits cut short (our limit or our fault); × are"
        " callers dropped or sent to a call-back, who will never be answered.",
    ),
    "still_waiting": _t("仍在等待的比例", "still waiting"),
    "seconds_in_queue": _t("排队时间（秒）", "seconds in the queue"),
    "censored": _t("截尾", "cut short"),
    "competing": _t("挂断/回电", "dropped / call-back"),
    "scorecard": _t("评分卡", "Scorecard"),
    "indicator": _t("指标", "Indicator"),
    "clause": _t("条款", "Clause"),
    "weight": _t("权重", "Weight"),
    "value": _t("模拟测试值", "Measured"),
    "interval": _t("95%区间", "95 % interval"),
    "band": _t("折算系数", "Coefficient"),
    "verdict": _t("判定", "Verdict"),
    "score": _t("得分", "Score"),
    "note": _t("说明", "Note"),
    "not_measured": _t("未测量", "not measured"),
    "in_part": _t("部分旁证", "in part"),
    "undecided_band": _t("档位不能判定", "band undecided"),
    "composite": _t("综合评价得分（区间）", "Composite (range)"),
    "literal": _t("原值", "literal"),
    "normalised": _t("归一化", "normalised"),
    "base": _t("基础指标", "base"),
    "boost": _t("提升指标", "boost"),
    "candidates": _t("候选不符合项", "Candidate nonconformities"),
    "candidates_note": _t("严重程度由审核员判定", "how severe, the auditor decides"),
    "warnings": _t("规则缺陷与口径说明", "Where the rule is silent or contradicts itself"),
    "sessions": _t("会话", "Sessions"),
    "sessions_note": _t("点开查看事件、录音或对话。", "Open one for its events and its recording or transcript."),
    "outcomes": _t("结果", "Outcomes"),
    "name": _t("名称", "Measure"),
    "mean": _t("均值", "mean"),
    "median": _t("中位数", "median"),
    "missing": _t("不明", "unknown"),
    "reference": _t("参考值，不计分（X18）", "for reference, not scored (X18)"),
    "limit": _t("等待上限 L", "limit L"),
    "rmst": _t("限制平均等待 RMST(L)", "restricted mean wait RMST(L)"),
    "within20": _t("20秒内接听（KM）", "answered within 20 s (KM)"),
    "boundary": _t(
        "{n}个等待时间落在20秒的测时不确定度内", "{n} waits lie within their timing uncertainty of 20 s"
    ),
    "with_abandoned": _t("含放弃呼叫的平均应答速度", "average speed of answer with the abandoned"),
    "review": _t("{n}个会话待人工复核；未听清的内容为“不明”，不算通过。",
                 "{n} sessions await a person's review; what was not understood is unknown, never a pass."),
    "recording": _t("录音", "Recording"),
    "transcript": _t("对话", "Transcript"),
    "events": _t("事件", "Events"),
    "resolution": _t("解决", "Resolution"),
    "reason": _t("原因", "Reason"),
    "not_understood": _t("（有语音，未转写）", "(speech, not transcribed)"),
    "phase_ringing": _t("振铃", "ringing"),
    "phase_menu": _t("菜单/机器人", "menu or bot"),
    "phase_queue": _t("排队", "queue"),
    "phase_talking": _t("通话", "talking"),
    "t_request": _t("请求人工", "asked"),
    "t_queue": _t("进入排队", "queued"),
    "t_answer": _t("坐席接起", "agent"),
    "t_first_word": _t("坐席首句", "first word"),
    "method": _t("测定方法", "method"),
    "n": _t("n", "n"),
    "none": _t("本次无数据", "no data in this run"),
}  # fmt: skip


def label(key: str, lang: Lang, **values: object) -> str:
    """Returns a label in ``lang``, its placeholders filled."""
    text = LABELS[key].in_(lang)
    return text.format(**values) if values else text


def both(text: Text, lang: Lang) -> str:
    """Returns a name in both languages, the chosen one first."""
    return f"{text.zh} {text.en}" if lang == "zh" else f"{text.en} {text.zh}"


def percent(value: Fraction | float) -> str:
    """Returns a share as percent with one decimal."""
    return f"{float(100 * value):.1f} %"


def seconds(value: Fraction | float | None) -> str:
    """Returns seconds: two decimals below ten, one above; a dash if unknown."""
    if value is None:
        return "–"
    number = float(value)
    return f"{number:.{2 if abs(number) < 10 else 1}f}"


def span(low: float, high: float, unit: str | None) -> str:
    """Returns an interval."""
    if unit == "share":
        return f"{100 * low:.1f}–{100 * high:.1f} %"
    return f"{seconds(low)}–{seconds(high)} s"


def rate_span(rate: Rate) -> str:
    """Returns the 95 % Wilson interval of a rate."""
    return span(*rate.wilson, "share") if rate.n else "–"


def wait_span(waits: Waits) -> str:
    """Returns the 95 % interval of the mean."""
    return "–" if waits.interval is None else span(*waits.interval, "seconds").removesuffix(" s")


def points(value: Fraction | None) -> str:
    """Returns points with at most two decimals."""
    return "–" if value is None else f"{float(value):.2f}".rstrip("0").rstrip(".")


def range_text(range_: Range) -> str:
    """Returns a range of points and what it is out of."""
    return f"{points(range_.low)} – {points(range_.high)} / {points(range_.full)}"


def value_text(line: Line) -> str:
    """Returns an indicator's value with its n."""
    if line.value is None:
        return "–"
    shown = value(line.value, line.unit)
    return shown if line.n is None else f"{shown} (n={line.n})"


def value(number: Fraction, unit: str | None) -> str:
    """Returns a number in its unit."""
    if unit == "share":
        return percent(number)
    return f"{seconds(number)} s" if unit == "seconds" else f"{float(number):g}"


def band_text(line: Line, lang: Lang) -> str:
    """Returns the coefficient, and what the interval leaves open."""
    if line.coefficient is None:
        return "–"
    text = f"{float(line.coefficient):.1f}"
    if line.band_verdict == "undecided":
        text += f"  {label('undecided_band', lang)}: " + "/".join(f"{float(k):.1f}" for k in line.possible)
    return text


def score_text(line: Line) -> str:
    """Returns the score, and the range the interval leaves open."""
    if line.score is None or line.score_range is None:
        return "–"
    low, high = line.score_range
    return points(line.score) + ("" if low == high else f" ({points(low)}–{points(high)})")


def verdict_text(line: Line, lang: Lang) -> str:
    """Returns the verdicts on the rule's thresholds."""
    return "；".join(VERDICTS[t.verdict].in_(lang) for t in line.thresholds if t.verdict is not None) or "–"


def curve_text(channel: ChannelMetrics, lang: Lang) -> list[tuple[str, str]]:
    """Returns what the survival curve says, as pairs of name and value."""
    rows = [(label("limit", lang), "/".join(f"{limit:g}" for limit in channel.limits_s) + " s")]
    if channel.survival is not None:
        at20 = channel.survival.at(20.0)
        rows += [
            (label("rmst", lang), f"{seconds(channel.survival.rmst)} s (L={channel.survival.horizon:g} s)"),
            (label("within20", lang), f"{percent(1 - at20.s)} ({span(1 - at20.high, 1 - at20.low, 'share')})"),
        ]
    if channel.speed_with_abandoned is not None:
        rows.append((label("with_abandoned", lang), f"{seconds(channel.speed_with_abandoned)} s"))
    return rows


def scheme_text(card: Scorecard, lang: Lang) -> str:
    """Returns the scheme's name and the dates it was in force."""
    dates = f"{card.valid_from.isoformat()} – {card.valid_to.isoformat() if card.valid_to else ''}".rstrip()
    return f"{card.scheme} · {card.title.in_(lang)} · {card.standard} ({label('in_force', lang)} {dates})"
