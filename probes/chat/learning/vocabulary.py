"""The words by which a chat's parts are known, Chinese and English: what visitors read, and what makers call things."""

from __future__ import annotations

import re


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


# On the launcher; elsewhere weaker; on what is no launcher.
CALLS = _any(
    "客服|咨询|聊天|对话|会话|有问题|智能助手|小助手|问一问",
    r"chat|messenger|live ?agent|web ?im\b|kefu|message us|talk to us|ask us|ask a|assistant|need help",
)
WEAK_CALLS = _any("帮助|支持|服务|联系|help|support|contact")
LAUNCHER_CODES = _any(
    "chat|launch|kefu|messenger|livechat|webim|widget|bubble|customer-?service|assistant|support",
)
NOT_LAUNCHER = _any(
    "登录|注册|购买|下单|支付|关闭|下载|回到?顶部|返回顶部|搜索|电话|拨打|热线|邮件|邮箱|反馈|投诉建议|微信|公众号",
    "log ?in|sign ?(in|up)|register|buy|pay|checkout|close|dismiss|cookie|accept|download|back to top|scroll|search",
    "call us|phone|e-?mail|feedback|subscribe|minimi[sz]e|history",
)
NOT_LAUNCHER_CODES = _any(
    "close|dismiss|cookie|consent|back-?to-?top|gotop|backtop|scroll|search|share|nav-?toggle|menu",
)

# On the box that messages are written into; on other boxes.
ASKS = _any(
    r"输入.{0,8}(问题|消息|内容|咨询)|请输入|说点什么|想(咨询|问)|有什么(问题|可以)|请描述|发送?消息",
    r"(type|write|enter|send).{0,12}(message|question|here|reply)|\bmessage\b|ask (me|us|a|any)|say something",
    r"how can we help|\breply\b|chat",
)
INPUT_CODES = _any("chat|message|msg|composer|send-?box|reply|talk|im-|webim|question|prompt")
NOT_INPUT = _any(
    "搜索|查询|关键[字词]|邮箱|手机|电话|姓名|称呼|验证码|密码|账号|帐号|用户名|地址|卡号|证件|金额|订阅",
    "search|query|keyword|e-?mail|phone|mobile|your name|first ?name|last ?name|user ?name|captcha|password|login",
    "address|zip|post ?code|amount|subscribe|newsletter|coupon|comment",
)
NOT_INPUT_TYPES = ("search", "email", "tel", "url", "password", "number", "date")

# On the button that sends; on those beside it.
SENDS = _any(r"发\s*送|\bsend\b|^(submit|提交|回复|reply|➤|➔|→|↑|✈️?|🡒|▶)$")
SEND_CODES = _any("send|submit")
NOT_SEND = _any(
    "文件|图片|表情|附件|上传|语音|关闭|清[空除]|评价|截图|结束|转人工",
    "attach|upload|file|image|emoji|gif|voice|mic|record|close|clear|menu|rate|end chat|feedback",
)

# What lists of messages, typing signs, and the parts of a message that nobody said are called.
LIST_CODES = _any(
    r"messages?\b|msg|chat-?(log|list|body|content|history)|\blog\b|history|transcript|conversation|feed",
)
TYPING = _any(r"typing|dots?\b|indicator|loader|loading|thinking|pending|wave|正在输入")
ASIDE = _any(r"time|date|stamp|name|nick|avatar|status|sender|author|receipt|read\b|sr-only|visually-?hidden|tooltip")

# What makers call the authors of messages.
US = {
    "user", "visitor", "customer", "client", "guest", "me", "my", "mine", "self", "own", "right", "outgoing",
    "outbound", "sent", "sender", "question",
}  # fmt: skip
BOT = {
    "bot", "robot", "assistant", "ai", "them", "other", "others", "left", "incoming", "inbound", "received",
    "receiver", "answer", "server",
}  # fmt: skip
AGENT = {"agent", "staff", "human", "operator", "kefu", "seat", "csr", "representative"}
SYSTEM = {"system", "notice", "notification", "tip", "tips", "info", "event", "divider", "hint"}
AUTHORS = US | BOT | AGENT | SYSTEM
