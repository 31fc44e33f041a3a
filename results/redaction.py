"""Keeps persons out of the report: the shopper's persona, and agents' names and numbers in the text that is shown.

Masking text is a rule of thumb, and errs towards masking. It never touches the evidence itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

PERSONA, AGENT = "〔测试身份〕", "〔坐席〕"
_NAME = "[\u4e00-\u9fff·]"
_NUMBERS = (
    re.compile(r"(工号|坐席号|编号)\s*(?:是|为)?\s*[:：]?\s*[A-Za-z]?\d{2,}"),
    re.compile(r"()[A-Za-z]?\d{2,}\s*号(?=客服|坐席|话务|专员|代表)"),
    re.compile(r"((?:客服代表|客服|坐席|专员))\s*[A-Za-z]?\d{2,}\s*号?"),
    re.compile(r"\b([Aa]gent|[Rr]epresentative|[Nn]umber|ID|no\.)\s*#?:?\s*\d{2,}"),
)
_NAMES = (
    re.compile(rf"(我姓|免贵姓|您可以叫我小?|我叫|名叫){_NAME}{{1,3}}?(?=[，,。.！!、 ]|$)"),
    re.compile(rf"((?:客服代表|客服专员|客服人员|坐席|专员)){_NAME}{{2,3}}?(?=[，,。.！!、 ]|$|为您|已)"),
    re.compile(rf"(我是|这里是)(?!客服|人工|机器人|智能|银行|沙箱|您|〔){_NAME}{{2,4}}?(?=[，,。.！!、 ]|$)"),
    re.compile(r"((?:[Mm]y name is|[Cc]all me|[Tt]his is|I am|I'm)\s+)[A-Z][\w'’-]+(?:\s+[A-Z][\w'’-]+)*"),
    re.compile(r"((?:[Aa]gent|[Rr]epresentative)\s+)[A-Z][\w'’-]+(?:\s+[A-Z][\w'’-]+)*"),
)


class Mask:
    """Masks the names and numbers of one session's people."""

    def __init__(self, persona: Mapping[str, str], agents: Iterable[str] = ()) -> None:
        known = [(value, PERSONA) for value in persona.values() if len(value) >= 2]
        known += [(value, AGENT) for value in agents if len(value) >= 2]
        self._known = sorted(known, key=lambda pair: -len(pair[0]))

    def __call__(self, text: str) -> str:
        """Returns ``text`` with what is known, and what looks like an agent's name or number, masked."""
        for value, mask in self._known:
            text = text.replace(value, mask)
        for pattern in (*_NUMBERS, *_NAMES):
            text = pattern.sub(rf"\1{AGENT}", text)
        return text
