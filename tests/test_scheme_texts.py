"""The schemes' data against their texts: every weight and number of a text is in the data at its clause, and no other.

The texts are not shipped; what they say is, line by line, in ``tests/scheme_facts``. Where ``SHOPPER_SCHEME_TEXTS``
names a folder with them, the facts themselves are held against them, too.
"""

import os
import re
from itertools import groupby
from pathlib import Path

import pytest

from scoring.scheme import load_scheme, schemes
from tests.scheme_numbers import CHINESE, FACTS, TOKEN, facts, places, plain

TEXTS = os.environ.get("SHOPPER_SCHEME_TEXTS")
IDS = sorted(path.stem for path in FACTS.glob("*.tsv"))
CMM = (("第9章 ", "第14章 |附录A "), ("A.4 ", "A.5 "), ("附录C ", "附录E "))
PARTS = {  # where a text has what is scored: lines that begin and end those parts
    "CMM-525-0002": CMM,
    "CMM-525-0005": CMM,
    "CMM-525-0006": CMM,
    "CTS-TBSC97-2026": (("5. 服务认证评价方法", "附录 2 "), ("附录3 ", "附录 5 ")),
}
NUMBERED = re.compile(  # numbers of lists, headings, rows of tables and references are no facts
    r"^(?:说明：|\s*(?:- )?)(?:\d+\)|[①-⑩]) ?|^第\d+章|^[A-E]\.\d+(?:\.\d+)*|^\d+(?:\.\d+)+ |^\d+\t"
    r"|(?:^|(?<=\t))\d+(?:\.\d+)*\. ?|(?<=[见、和 ])\d+\.\d+\. |\[[^\]]*\]\(#\)|GB/T [\d-]+|附[录件] ?\d+"
)
NO_FACTS = {("CMM-525-0006", 902): "how soon the certification body answers an application"}


def test_every_scheme_has_its_facts():
    assert schemes() == IDS


@pytest.mark.parametrize("id_", IDS)
def test_every_number_of_the_text_is_in_the_data_at_its_clause(id_):
    held = list(places(load_scheme(id_)))
    found = facts(id_)
    missing = []
    for (line, clause, subject), group in groupby(found, key=lambda fact: (fact.line, fact.clause, fact.subject)):
        together = list(group)
        if not any(
            place.at(clause) and place.about(subject) and all(place.numbers & fact.meanings for fact in together)
            for place in held
        ):
            missing.append((line, clause, subject, [fact.number for fact in together]))
    assert not missing


@pytest.mark.parametrize("id_", IDS)
def test_no_number_of_the_data_is_invented(id_):
    found = facts(id_)
    invented = [
        (place.clauses, place.names, float(number), kind)
        for place in places(load_scheme(id_))
        if not place.derived
        for number, kind in place.numbers
        if not any(
            place.at(fact.clause)
            and (number == plain(fact.number) if kind == "words" else (number, kind) in fact.meanings)
            and (kind == "words" or place.about(fact.subject))
            for fact in found
        )
    ]
    assert not invented


def test_sums():
    sums = {id_: (load_scheme(id_).base_weight, load_scheme(id_).boost_weight) for id_ in IDS}
    assert sums == {
        "CMM-525-0002": (100, 12),
        "CMM-525-0005": (145, 18),
        "CMM-525-0006": (185, 18),
        "CTS-TBSC97-2026": (100, 0),
    }
    assert load_scheme("CTS-TBSC97-2026").maturity.most == 145
    tree = [(d.weight, float(d.factor)) for d in load_scheme("CMM-525-0002").dimensions if not d.boost]
    assert tree == [(100, 0.2), (100, 0.35), (100, 0.35), (100, 0.1)]


if TEXTS:  # nothing to collect where the texts are not at hand

    def lines(id_):
        return (Path(TEXTS) / f"{id_}.txt").read_text("utf-8").splitlines()

    def numbers(line):
        """The numbers of a line that are no numbering."""
        found = NUMBERED.sub("", NUMBERED.sub("", line))
        return {str(CHINESE.get(token, token)) for token in TOKEN.findall(found)}

    @pytest.mark.parametrize("id_", IDS)
    def test_every_fact_is_in_its_line(id_):
        text = lines(id_)
        wrong = [fact for fact in facts(id_) if fact.number not in numbers(text[fact.line - 1])]
        assert not wrong

    @pytest.mark.parametrize("id_", IDS)
    def test_no_line_with_a_number_is_left_out(id_):
        text = lines(id_)
        known = {}
        for fact in facts(id_):
            known.setdefault(fact.line, set()).add(fact.number)
        left_out = []
        for begin, end in PARTS[id_]:
            first = max(n for n, line in enumerate(text) if line.startswith(begin))
            last = next((n for n in range(first, len(text)) if re.match(end, text[n])), len(text))
            for n in range(first, last):
                found = {plain(number) for number in numbers(text[n])}
                if found - {plain(one) for one in known.get(n + 1, ())} and (id_, n + 1) not in NO_FACTS:
                    left_out.append((n + 1, text[n]))
        assert not left_out
