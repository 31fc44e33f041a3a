"""JSON that a page or an interface sent, without halves of characters: no file can hold those."""

from __future__ import annotations

import json
import re
from typing import Any

_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # perhaps one: a text that was cut within an emoji


def loads(data: str | bytes) -> Any:
    """Returns the document in ``data``; half a character is a question mark.

    Raises:
        ValueError: it is none.
        RecursionError: it is nested too deeply.
    """
    document = json.loads(data)
    if _HALF.search(data if isinstance(data, str) else data.decode(errors="replace")):
        return json.loads(json.dumps(document, ensure_ascii=False).encode(errors="replace"))
    return document
