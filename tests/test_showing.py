"""What a chat shows, judged: cards, links and images, by words, by address, by nothing but being there."""

from __future__ import annotations

import pytest

from probes.judging import Reply, Turn, judge
from probes.replies import Replies
from probes.session import Event
from probes.showing import Shown
from probes.target import FactAnswer
from scenarios.catalogue import load
from scenarios.model import Ask, Fact, Step, Text

TEXT = Text(zh="表", en="form")
LINK = {"kind": "link", "text": "Form for a new card", "url": "https://forms.bank.example/cards/new?from=chat"}
FILE = {"kind": "file", "text": "Terms", "url": "https://bank.example/terms.pdf"}
IMAGE = {"kind": "image", "text": "a worn stripe", "url": "https://cdn.example/pictures/stripe.png"}
CARD = {"kind": "card", "text": "New card\n5 yuan, by post"}
BUTTON = {"kind": "button", "text": "By post"}


def verdict(form, answer, *replies, waited=True, not_put=""):
    """Judges one fact; a reply is its words and its parts."""
    fact = Fact(key="it", name=TEXT, shown_as=form, critical=True)
    script = load("S01").scenario.model_copy(
        update={
            "facts": (fact,),
            "steps": (Step(ask=Ask(id="a", say=TEXT, facts=("it",))),),
            "must": (),
            "must_not": (),
        }
    )
    said = [Reply("bot", text, n, parts) for n, (text, parts) in enumerate(replies)]
    turn = Turn("a", ("it",), waited=waited, replies=said, not_put=not_put)
    found = judge(script, "en", [turn], said, {} if answer is None else {"it": answer}, "bot")
    [one] = found.facts
    return one.verdict, one.reason


def right(*wordings, at_least=1, wrong=()):
    return FactAnswer(right=wordings, at_least=at_least, wrong=wrong)


@pytest.mark.parametrize(
    ("form", "wording", "part"),
    [
        ("link", "new card", LINK),
        ("link", "cards/new", LINK),
        ("link", "forms.bank.example", LINK),
        ("link", "bank.example", LINK),
        ("link", "FORMS.bank.example/cards", LINK),
        ("link", "https://forms.bank.example/cards/new", LINK),
        ("link", "Terms", FILE),
        ("link", "*", LINK),
        ("image", "worn", IMAGE),
        ("image", "cdn.example", IMAGE),
        ("image", "*", IMAGE),
        ("card", "by post", CARD),
        ("card", "Newcard5yuan", CARD),
        ("card", "*", CARD),
    ],
)
def test_what_was_shown_passes(form, wording, part):
    found, reason = verdict(form, right(wording), ("See this.", [BUTTON, part]))
    assert found == "pass"
    assert reason.startswith("shown: ")
    assert "\n" not in reason


@pytest.mark.parametrize(
    ("form", "wording", "parts", "reason"),
    [
        ("link", "*", [], "no link was shown"),
        ("link", "*", [IMAGE, CARD, BUTTON], "no link was shown"),
        ("image", "*", [LINK], "no image was shown"),
        ("card", "*", [LINK, IMAGE], "no card was shown"),
        ("link", "lost card", [LINK], f"another link was shown: “Form for a new card” {LINK['url']}"),
        ("link", "k.example", [LINK], f"another link was shown: “Form for a new card” {LINK['url']}"),
        ("link", "http://forms.bank.example", [LINK], f"another link was shown: “Form for a new card” {LINK['url']}"),
        ("link", "bank.example:8443", [LINK], f"another link was shown: “Form for a new card” {LINK['url']}"),
        ("link", "bank.example/new", [LINK], f"another link was shown: “Form for a new card” {LINK['url']}"),
        ("card", "10 yuan", [CARD], "another card was shown: “New card 5 yuan, by post”"),
    ],
)
def test_what_was_not_shown_fails_and_says_what_was(form, wording, parts, reason):
    assert verdict(form, right(wording), ("See the form.", parts)) == ("fail", reason)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("bank.example", "https://phish.example/?to=bank.example"),
        ("https://bank.example/cards", "https://bank.example.phish.example/cards"),
        ("bank.example", "https://bank.example@phish.example/"),
        ("bank.example", "https://notbank.example/"),
        ("bank.example", "https://[bank.example"),
        ("", "javascript:location='//bank.example'"),
    ],
)
def test_a_link_leads_where_it_leads_whatever_it_says(text, url):
    assert verdict("link", right("bank.example"), ("", [{"kind": "link", "text": text, "url": url}]))[0] == "fail"


def test_words_alone_show_nothing_and_an_address_in_words_is_a_link():
    assert verdict("image", right("worn"), ("a worn stripe", []))[0] == "fail"
    assert verdict("words", right("worn"), ("", [IMAGE])) == ("fail", "not said")
    for text in ("请打开https://bank.example/cards，谢谢", "Open https://bank.example/cards.", "(http://bank.example)"):
        assert verdict("link", right("bank.example"), (text, []))[0] == "pass"
    once = verdict("link", right("lost"), (f"See {FILE['url']}", [{**FILE, "text": FILE["url"]}]))
    assert once == ("fail", f"another link was shown: “{FILE['url']}” {FILE['url']}")


def test_all_that_is_needed_must_stand_on_one_of_them():
    both = right("5 yuan", "by post", at_least=2)
    assert verdict("card", both, ("", [CARD]))[0] == "pass"
    halves = [{"kind": "card", "text": "5 yuan"}, {"kind": "card", "text": "by post"}]
    assert verdict("card", both, ("", halves))[0] == "fail"


def test_what_contradicts_fails_in_words_or_on_what_is_shown():
    phish = {"kind": "link", "text": "Form", "url": "https://phish.example/new"}
    assert verdict("link", right("*", wrong=("phish.example",)), ("", [LINK]))[0] == "pass"
    contradicted = ("fail", "contradicts the confirmed fact")
    assert verdict("link", right("*", wrong=("phish.example",)), ("", [LINK, phish])) == contradicted
    assert verdict("link", right("*", wrong=("only at a branch",)), ("Only at a branch.", [LINK])) == contradicted


def test_unasked_unanswered_and_unconfirmed():
    late = "no quick reply “By post” was offered within 20 s"
    assert verdict("link", right("*"), not_put=late) == ("fail", late)
    assert verdict("words", right("five"), not_put=late) == ("fail", late)
    assert verdict("link", right("*")) == ("fail", "no reply")
    assert verdict("link", right("*"), waited=False) == ("unknown", "we stopped before a reply was due")
    assert verdict("link", None, ("", [LINK])) == ("na", "the client has not confirmed this fact")
    assert verdict("link", right("*"), ("", [LINK]), not_put=late)[0] == "pass"  # it came unasked


def test_what_a_message_shows_later_counts():
    replies = Replies(load("S01").scenario, "en")
    replies.turns.append(Turn("a", ("it",)))
    for revision, parts in enumerate(([], [IMAGE])):
        data = {"id": 7, "speaker": "bot", "text": "See this.", "revision": revision, "parts": parts}
        replies.take(Event(kind="message", t=1.0, method="dom", data=data))
    assert [reply.parts for reply in replies.turns[0].replies] == [[IMAGE]]


def test_a_picture_that_is_its_own_address_has_none():
    assert not Shown("", "").says("a")
    own = {"kind": "image", "text": "x", "url": "data:image/png;base64,worn"}
    assert verdict("image", right("worn"), ("", [own])) == ("fail", "another image was shown: “x”")
