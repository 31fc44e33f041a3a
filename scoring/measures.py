"""Every measure the metrics may hold: its id, its Chinese and English name, and the formula in one line (domain 2.3).

Ids are ``channel.name``. A measure with ``of`` is a variant of another one and is printed beside it. Nothing from chat
enters the telephone indicators of CMM-525-0005 (defect X18): chat measures are 参考值, reference values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scenarios.model import Text

Kind = Literal["rate", "wait"]


@dataclass(frozen=True)
class Measure:
    """One measure. ``kind`` rate: a ``Rate``; wait: ``Waits``, seconds."""

    id: str
    kind: Kind
    name: Text
    formula: Text
    of: str | None = None

    @property
    def channel(self) -> str:
        """Its channel, ``voice`` or ``chat``."""
        return self.id.partition(".")[0]


def _measure(
    id_: str, kind: Kind, zh: str, en: str, formula_zh: str, formula_en: str, of: str | None = None
) -> Measure:
    return Measure(id_, kind, Text(zh=zh, en=en), Text(zh=formula_zh, en=formula_en), of)


MEASURES: dict[str, Measure] = {
    measure.id: measure
    for measure in (
        _measure(
            "voice.connect_rate", "rate", "接通率", "Connect rate",
            "人工接听 / 进入人工排队（X15）", "answered / reached the queue (X15)",
        ),
        _measure(
            "voice.connect_rate_end_to_end", "rate", "端到端接通率", "Connect rate, end to end",
            "人工接听 / 请求人工", "answered / asked for a human", "voice.connect_rate",
        ),
        _measure(
            "voice.connect_rate_attempts", "rate", "全程接通率", "Connect rate of all calls",
            "人工接听 / 有效拨测（不含自助办结）", "answered / valid calls (without self-served ones)",
            "voice.connect_rate",
        ),
        _measure(
            "voice.service_level_20", "rate", "服务水平（20秒）", "Service level (20 s)",
            "排队起20秒内接听 / 进入人工排队", "answered within 20 s of queueing / reached the queue",
        ),
        _measure(
            "voice.service_level_20_request", "rate", "服务水平，自请求人工起", "Service level, from the request",
            "请求人工起20秒内接听 / 进入人工排队", "answered within 20 s of asking / reached the queue",
            "voice.service_level_20",
        ),
        _measure(
            "voice.service_level_20_first_word", "rate", "服务水平，至坐席首句", "Service level, to the first word",
            "排队起20秒内听到首句 / 进入人工排队", "first word within 20 s of queueing / reached the queue",
            "voice.service_level_20",
        ),
        _measure(
            "voice.answer_speed", "wait", "平均应答速度", "Average speed of answer",
            "排队至坐席接起，仅已接听（X16）", "queue to agent, answered calls only (X16)",
        ),
        _measure(
            "voice.answer_speed_request", "wait", "应答时间，自请求人工起", "Answer time, from the request",
            "请求人工至坐席接起", "request to agent", "voice.answer_speed",
        ),
        _measure(
            "voice.answer_speed_first_word", "wait", "应答时间，至坐席首句", "Answer time, to the first word",
            "排队至坐席首句", "queue to the agent's own first word", "voice.answer_speed",
        ),
        _measure(
            "voice.handling_time", "wait", "通话时长", "Talk time",
            "坐席接起至结束；不含话后处理，为处理时长下限", "agent to end; without after-call work, so a lower bound",
        ),
        _measure(
            "voice.transfer_rate", "rate", "转接率", "Transfer rate",
            "转接至少一次 / 人工接听", "transferred at least once / answered",
        ),
        _measure(
            "voice.resolution", "rate", "解决率", "Resolution rate",
            "解决 / 可判定；不明者另列，不算通过", "resolved / judged; unknown ones apart, never a pass",
        ),
        _measure(
            "voice.facts_right", "rate", "事实准确率", "Facts right",
            "答对的事实 / 可判定的事实", "facts right / facts judged",
        ),
        _measure(
            "voice.network_failure", "rate", "网络失败率", "Network failures",
            "语音菜单前失败 / 有效拨测", "failed before any menu / valid calls",
        ),
        _measure(
            "voice.setup", "wait", "呼叫建立时间", "Call set-up",
            "发起呼叫至首个18x/200响应", "INVITE to the first 18x or 200",
        ),
        _measure(
            "chat.first_response", "wait", "在线首次响应", "Chat first response",
            "首条消息至首个回复（机器人或人工）", "our first message to the first reply, bot or human",
        ),
        _measure(
            "chat.reply", "wait", "在线回复间隔", "Chat reply time",
            "每个会话的回复间隔中位数", "each session's median time from our message to the reply",
        ),
        _measure(
            "chat.substantive_reply", "wait", "在线实质性回复间隔", "Chat substantive reply time",
            "每个会话至首个实质性回复的间隔中位数（仅“请稍等”不算）",
            "each session's median time to a reply that does more than ask for patience",
        ),
        _measure(
            "chat.handoff_success", "rate", "转人工成功率", "Hand-off success",
            "限时L内人工加入 / 请求人工", "a human joined within L / asked for a human",
        ),
        _measure(
            "chat.handoff", "wait", "转人工时间", "Hand-off time",
            "请求人工至人工加入", "request to the human's joining",
        ),
        _measure(
            "chat.resolution", "rate", "在线解决率", "Chat resolution rate",
            "解决 / 可判定；不明者另列，不算通过", "resolved / judged; unknown ones apart, never a pass",
        ),
        _measure(
            "chat.network_failure", "rate", "在线入口失败率", "Chat entry failures",
            "入口打不开 / 有效会话", "entry did not open / valid sessions",
        ),
        _measure(
            "chat.setup", "wait", "入口就绪时间", "Widget ready",
            "打开页面至聊天窗口就绪", "navigation to a ready widget",
        ),
    )
}  # fmt: skip
