"""Why a session ended as it did, in the reader's language.

Sessions keep the engine's own English sentence, because that is what was recorded; what an evaluator hands on is
Chinese. A sentence that is not listed stays as it is.
"""

from __future__ import annotations

import re

from scenarios.model import Lang

_CHINESE: tuple[tuple[str, str], ...] = (
    (r"not connected: (.*)", r"未接通：\1"),
    (r"no answer within (\S+) s", r"\1秒内无人接听"),
    (r"waited (\S+) s in the queue", r"排队已满\1秒上限，主动挂机"),
    (r"released in the queue \((.*)\)", r"排队中被系统挂断（\1）"),
    (r"told to call again later", "被告知稍后再拨"),
    (r"a call-back was offered instead of a human; none was ordered", "未接人工，仅提供回电；未预约回电"),
    (r"hung up after a human was asked for \((.*)\)", r"请求人工后被挂断（\1）"),
    (r"the far end hung up in the menu", "在语音菜单中被挂断"),
    (r"the menu leads nowhere: asked twice for a human", "菜单无出口：两次请求人工均返回菜单"),
    (r"no (\w+) prompt within (\S+) s", r"\2秒内未听到提示音（\1）"),
    (r"no queue within (\S+) s of asking for a human", r"请求人工后\1秒内未进入排队"),
    (r"the far end ended the session(?: \((.*)\))?", "对方结束会话"),
    (r"the session's limit of (\S+) s was reached", r"会话已满\1秒上限"),
    (r"served without a human, but the errand was not done", "自助服务未能解决问题"),
    (r"the run was stopped; we hung up", "测试被中止，由我方挂机"),
    (r"the run was stopped before its turn", "测试在轮到之前被中止"),
    (r"its worker died \((.*)\); how it ended is unknown", "执行进程异常退出，结果不明"),
    (r"its runner died; how it ended is unknown", "执行主程序异常退出，结果不明"),
    (r"its window (?:has )?passed", "时段已过，未能开始"),
    (r"withdrawn by deviation (\S+)", r"因方案偏离（第\1次）撤回"),
    (r"the campaign was stopped by (.*)", r"活动已终止：\1"),
    (r"the kill switch (\S+) was pulled(.*); we hung up", r"急停开关已拉下（\1\2），由我方挂机"),
    (r"the kill switch (\S+) was pulled(.*)", r"急停开关已拉下（\1\2）"),
    (r"it had been started before; an attempt is never dialled twice", "该任务曾经开始过；同一任务绝不重拨"),
    (r"our own side ended the session: (.*)", r"我方中断：\1"),
    (r"speech was heard that nobody has transcribed", "听到人声但未转写，需人工复核"),
    (r"the resolution is unknown", "是否解决不明"),
    (r"it is not certain that a human answered", "不能确定为人工接听"),
    (r"it is not certain who spoke after a human had been asked for", "不能确定请求人工之后是谁在说话"),
    (r"it is not certain that a human answered \((\S+)\)", r"不能确定为人工接听（可能性\1）"),
    (
        r"a recording that nobody has transcribed ended the wait: its words may make it a call-back or a closing",
        "结束等待的是一段无人转写的录音：按其原话可能是回电或请稍后再拨，请听后确认",
    ),
    (r"we took a recording for a person and hung up", "我方把录音当成人工并挂机：不计入"),
    (r"no queue was heard after a human was asked for \((.*)\)", r"请求人工后未听到排队（\1）"),
    (r"no sign of the queue was heard: the wait counts from the request", "未听到排队迹象：等待自请求人工起算"),
    (r"no reply to “(.*)” within (\S+) s", r"“\1”在\2秒内无答复"),
    (
        r"this machine was too busy: the audio clock stood still (\d+) times, up to (\S+) s",
        r"本机过忙：音频时钟停顿\1次，最长\2秒，时间可能偏晚",
    ),
    (
        r"the page stood still (\d+) times, up to (\S+) s: it or this machine was too busy",
        r"网页停顿\1次，最长\2秒：网页自身或本机过忙，时间可能偏晚",
    ),
    (r"SAFETY: the far end said “(.*)”", r"安全终止：对方说到“\1”"),
    (r"not a sound reached us: (.*)", "我方未收到任何音频：请检查本方网络、防火墙和编解码"),
    (r"speech began just before the end: a human may have answered", "结束前刚出现人声：可能已有人工接听，需复核"),
    (r"the far end answered and hung up at once", "对方接通后立即挂机"),
    (r"the call has ended", "通话已结束"),
    (r"the far end hung up while we spoke", "我方说话时对方挂机"),
)


def in_words(reason: str, lang: Lang) -> str:
    """Returns ``reason`` in ``lang``."""
    if lang == "en":
        return reason
    for pattern, chinese in _CHINESE:
        match = re.fullmatch(pattern, reason)
        if match:
            return match.expand(chinese)
    return reason
