"""What a recogniser gives, symbol by symbol, put together to words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.hearing.transcription.plain import plain
from probes.hearing.transcription.words import Word

_START = ("\u2581", " ")  # SentencePiece: a word begins here; the library gives the mark as a space
_MORE = "@@"  # Paraformer: the word goes on
_UNKNOWN = re.compile(r"<(unk|0x[0-9A-F]{2})>", re.IGNORECASE)  # not recognised; one byte of a character
_UNKNOWN_TEXT = re.compile(r"<?(unk|0x[0-9A-F]{2})>", re.IGNORECASE)  # the library's text may lack the first bracket
_SPECIAL = re.compile(r"<(\|.*\||blk|blank|s|/s|sos/eos|pad)>")


@dataclass(frozen=True)
class Token:
    """One symbol as it was recognised; times in session seconds."""

    symbol: str
    start: float
    end: float
    confidence: float | None = None


def unknown(token: Token) -> bool:
    """Says whether something was heard there that the model has no symbol for."""
    return _UNKNOWN.fullmatch(token.symbol.strip()) is not None


@dataclass
class _Growing:
    text: str
    start: float
    end: float
    confidences: list[float | None]
    goes_on: bool

    def word(self) -> Word:
        """The least sure symbol is as sure as the word is."""
        known = [value for value in self.confidences if value is not None]
        least = min(known) if len(known) == len(self.confidences) else None
        return Word(self.text, self.start, self.end, least)


def words_of(tokens: list[Token], text: str, *, pieces: bool) -> list[Word]:
    """Puts symbols together.

    Args:
        tokens: in the order of their times.
        text: what the recogniser made of them; if it is something else than the symbols one after the other (symbols
            that stand for bytes), it is given as one word over the whole time.
        pieces: the model's symbols are SentencePiece's, in which only the first of a word carries a mark.

    Returns:
        The words; what is unknown is none.
    """
    growing: list[_Growing] = []
    for token in tokens:
        if unknown(token) or _SPECIAL.fullmatch(token.symbol):
            if growing:
                growing[-1].goes_on = False
            continue
        begins = token.symbol.startswith(_START)
        symbol = token.symbol[1:] if begins else token.symbol
        more = symbol.endswith(_MORE) and len(symbol) > len(_MORE)
        symbol = symbol.removesuffix(_MORE) if more else symbol
        latin = symbol.isascii()
        if growing and growing[-1].goes_on and latin and not begins:
            last = growing[-1]
            last.text += symbol
            last.end = token.end
            last.confidences.append(token.confidence)
            last.goes_on = more or pieces
        else:
            growing.append(_Growing(symbol, token.start, token.end, [token.confidence], latin and (more or pieces)))
    words = [each.word() for each in growing if plain(each.text)]
    said = _SPECIAL.sub("", _UNKNOWN_TEXT.sub(" ", text)).strip()
    if plain("".join(word.text for word in words)) == plain(said):
        return words
    if not plain(said):
        return []
    return [Word(said, tokens[0].start, tokens[-1].end)] if tokens else []
