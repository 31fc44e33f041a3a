"""Learning a chat page from plain data: which element is what, which selector holds, whose message is whose."""

import pytest

from probes.chat.learning import authors, places, proposal, talk
from probes.chat.learning.findings import AuthorFinding, Click, Finding, Learnt, Messages
from probes.chat.learning.page import Element, Look, Node, Step
from probes.chat.learning.proof import Proof
from probes.chat.learning.selectors import WORST, Token, class_token, escape, for_one, tokens, within_host
from probes.chat.widget import Click as WidgetClick
from probes.chat.widget import load_widget

VIEW = (1280.0, 800.0)
CORNER = (1200, 720, 56, 56)


def element(number, sort, tag, box, text="", fixed=False, form=None, kind="", link="", within=(), steps=(), **attrs):
    attrs = {name.replace("_", "-").strip("-"): value for name, value in attrs.items()}
    path = (Step(tag, attrs), *steps)
    return Element(number, sort, box, path, kind, text, fixed=fixed, form=form, link=link, within=within)


def look(*elements, about=""):
    return Look(0, VIEW, tuple(elements), about=about)


# --- which element is what -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "launcher",
    [
        element(1, "clickable", "button", CORNER, "在线客服", fixed=True),
        element(1, "clickable", "a", (600, 10, 80, 20), "联系客服", link="https://bank.example/#", href="#"),
        element(1, "clickable", "div", CORNER, fixed=True, class_="livechat-bubble"),
        element(1, "clickable", "button", CORNER, fixed=True, aria_label="Chat with us"),
        element(1, "clickable", "div", CORNER, fixed=True),  # a picture in the corner, without a word
    ],
)
def test_what_opens_a_chat_is_told_from_the_rest_of_the_page(launcher):
    rest = [
        element(2, "clickable", "a", (10, 10, 60, 20), "理财产品", link="https://bank.example/funds", href="/funds"),
        element(3, "clickable", "a", (1200, 600, 40, 40), "返回顶部", fixed=True, href="#"),
        element(4, "clickable", "a", (1200, 650, 40, 40), "客服电话", fixed=True, link="tel:95000"),
        element(5, "clickable", "button", (1150, 700, 90, 30), "Accept cookies", fixed=True),
        element(6, "clickable", "div", (0, 0, 1280, 800), "chat", fixed=True),
    ]
    assert [place.element.id for place in places.launchers([look(launcher, *rest)])] == [1]


def test_a_launcher_in_a_frame_of_its_own_is_known_by_the_frame():
    button = element(1, "clickable", "button", (1200, 720, 60, 60), fixed=True)
    [place] = places.launchers([look(button, about="Open chat launcher-frame")])
    assert any("frame" in why.en for why in place.why)


def test_the_box_for_messages_is_told_from_search_login_and_newsletter():
    others = [
        element(1, "editable", "input", (10, 10, 200, 30), kind="search", placeholder="请输入关键词搜索"),
        element(2, "editable", "input", (10, 50, 200, 30), kind="text", placeholder="请输入手机号"),
        element(3, "editable", "input", (10, 90, 200, 30), kind="email", placeholder="Type your e-mail here"),
        element(4, "editable", "input", (10, 130, 200, 30), kind="password", name="password"),
    ]
    box = element(5, "editable", "textarea", (900, 700, 300, 40), placeholder="请输入您的问题")
    assert [place.element.id for place in places.inputs([look(*others, box)], least=places.INPUT_ALONE)] == [5]
    assert places.inputs([look(*others)], least=places.INPUT_GUESS) == []


def test_a_box_without_words_counts_once_it_appears_after_the_click():
    box = element(5, "editable", "div", (900, 700, 300, 40), fixed=True)
    search = element(1, "editable", "input", (10, 10, 200, 30), kind="search")
    now = [look(search, box)]
    assert places.inputs(now, least=places.INPUT_ALONE) == []
    [place] = places.inputs(now, frozenset({(0, 1)}), places.INPUT_OPENED)
    assert place.element.id == 5


def test_the_button_that_sends_is_told_from_those_beside_it():
    box = element(1, "editable", "textarea", (900, 700, 300, 40), form=9)
    buttons = [
        element(2, "clickable", "button", (1210, 700, 30, 30), form=9, aria_label="上传图片"),
        element(3, "clickable", "button", (1250, 700, 30, 30), "发送", form=9, kind="submit"),
        element(4, "clickable", "button", (1250, 400, 20, 20), "×", aria_label="关闭"),
        element(5, "clickable", "a", (10, 10, 60, 20), "Send money", link="https://bank.example/send", href="/send"),
    ]
    assert [place.element.id for place in places.send_buttons(look(box, *buttons), box)] == [3]


def test_the_list_stands_above_the_box_and_is_no_copy_for_screen_readers():
    box = element(1, "editable", "textarea", (900, 700, 300, 40), within=(7,))
    lists = [
        element(2, "list", "div", (900, 300, 300, 390), class_="chat-messages"),
        element(3, "list", "div", (900, 699, 1, 1), role="log", aria_live="polite"),
        element(7, "list", "div", (890, 250, 320, 500), class_="chat-dialog"),
    ]
    assert [place.element.id for place in places.lists(look(box, *lists), box)] == [2]


def test_a_form_that_asks_who_we_are_is_told_from_forms_that_were_there():
    search = element(1, "editable", "input", (10, 10, 200, 30), kind="search")
    phone = element(2, "editable", "input", (900, 600, 200, 30), placeholder="手机号")
    assert places.form_before(look(search, phone), frozenset({(0, 1)}))
    assert not places.form_before(look(search), frozenset({(0, 1)}))


# --- which selector holds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["css-1x2y3z", "sc-bdnxRM", "jss12", "svelte-1abc23", "_3fa9c1b2", "e1k2j3h4", "webchat--css-ekcfl-1m2n3o"]
)
def test_generated_class_names_come_last(name):
    assert class_token(name).rank >= WORST
    assert tokens("div", {"class": f"{name} message-row"})[0].css == ".message-row"


@pytest.mark.parametrize(
    "name", ["message", "from-user", "webchat__bubble--from-user", "chatBubble", "msg_item", "el-input__inner", "step2"]
)
def test_written_class_names_are_not_taken_for_generated_ones(name):
    assert class_token(name) == Token(f".{escape(name)}", 3)


def test_a_class_of_a_css_module_is_named_by_its_stem():
    assert class_token("Chat_bubble__3fKd9") == Token('[class*="Chat_bubble__"]', 4)


def test_attributes_written_on_purpose_come_before_classes():
    attrs = {"class": "message", "data-testid": "msg", "data-author": "bot", "data-id": "83a1", "role": "article"}
    assert [token.css for token in tokens("div", attrs)][:3] == [
        '[data-testid="msg"]', '[data-author="bot"]', ".message",
    ]  # fmt: skip
    assert not any("83a1" in token.css for token in tokens("div", attrs))


def test_ids_with_numbers_in_them_are_not_relied_on():
    assert tokens("input", {"id": "field-82731", "name": "question"})[0].css == 'input[name="question"]'
    assert tokens("input", {"id": "chat-input"})[0].css == "#chat-input"


def test_one_element_has_its_place_as_the_last_resort():
    path = (Step("div", {"class": "css-1a2b3c"}, 2), Step("section", {}, 1), Step("div", {"id": "app"}, 1))
    assert for_one(path)[-1] == Token("#app > section:nth-of-type(1) > div:nth-of-type(2)", WORST + 1)


def test_an_element_of_a_shadow_tree_is_named_by_its_host():
    path, hosts = (Step("button", {}),), (Step("help-chat", {}),)
    assert within_host(path, hosts, piercing=True)[0].css == "help-chat button"
    assert within_host(path, hosts, piercing=False)[0].css == ":host(help-chat) button"


def test_names_are_escaped():
    assert escape("md:w-1/2") == r"md\:w-1\/2"
    assert escape("2col") == r"\32 col"


# --- one turn --------------------------------------------------------------------------------------------------------


def tree(raw, parent=None, ids=None):
    """Builds a tree of ``(tag, attrs, kids)``; kids are such triples or words. Ids follow document order."""
    ids = ids if ids is not None else iter(range(1, 10_000))
    tag, attrs, kids = raw
    box = (0, 0, 1, 1) if attrs.get("class") == "sr" else (0, 0, 200, 20)
    node = Node(next(ids), tag, attrs, box, parent=parent)
    node.kids = [kid if isinstance(kid, str) else tree(kid, node, ids) for kid in kids]
    return node


def page(*rows, more=()):
    box = ("textarea", {"class": "box"}, [])
    return tree(("body", {}, [("div", {"class": "log", "role": "log"}, list(rows)), *more, box]))


def row(side, text):
    who = ("span", {"class": "name"}, ["You" if side == "me" else "Bot"])
    return ("div", {"class": f"row {side}"}, [who, ("div", {"class": "words"}, [text])])


def read(before, *shots, said="hello"):
    box = next(node.id for node in shots[-1].nodes() if node.tag == "textarea")
    return talk.read_turn(before, shots, said, box)


def test_message_list_and_authors_are_found_by_our_own_words():
    seen = read(
        page(row("them", "Welcome")), page(row("them", "Welcome"), row("me", "hello"), row("them", "What can I do?"))
    )
    assert (seen.list.attrs["role"], seen.item) == ("log", ".row")
    assert seen.ours.text == "You hello"
    assert [node.text for node in seen.new] == ["Bot What can I do?"]
    rules = authors.authors(seen)
    assert [(rule.who, rule.css) for rule in rules] == [("user", ".me"), ("bot", ".them")]
    text, drop = authors.words(seen, "hello")
    assert (text.css, drop) == (".words", ())


def test_a_greeting_that_says_the_same_words_is_not_ours():
    seen = read(page(row("them", "hello")), page(row("them", "hello"), row("me", "hello"), row("them", "yes?")))
    assert "me" in seen.ours.classes


def test_a_copy_for_screen_readers_is_not_the_message():
    copy = ("div", {"class": "sr"}, ["hello"])
    seen = read(page(), page(row("me", "hello"), row("them", "yes?"), more=[("div", {"aria-live": "polite"}, [copy])]))
    assert seen.list.attrs.get("role") == "log"


def test_messages_in_groups_are_told_one_by_one():
    def group(side, *texts):
        return ("section", {"class": f"group {side}"}, [("div", {"class": "bubble"}, [text]) for text in texts])

    seen = read(
        page(group("bot", "a", "b")), page(group("bot", "a", "b"), group("user", "hello"), group("bot", "c", "d"))
    )
    assert seen.item == ".bubble"
    assert len(seen.members) == 5
    rules = {rule.who: rule.css for rule in authors.authors(seen)}
    assert (rules["user"], rules["bot"]) == (".user .bubble", ".bot .bubble")


def test_paragraphs_of_one_answer_are_one_message():
    answer = ("div", {"class": "row them"}, [("p", {"class": "line"}, ["one"]), ("p", {"class": "line"}, ["two"])])
    ours = ("div", {"class": "row me"}, [("p", {"class": "line"}, ["hello"])])
    seen = read(page(), page(ours, answer))
    assert (seen.item, len(seen.members)) == (".row", 2)


def test_messages_with_no_name_in_common_are_named_one_by_one():
    ours, theirs = ("div", {"class": "question"}, ["hello"]), ("div", {"class": "answer"}, ["What can I do?"])
    seen = read(page(), page(ours, theirs))
    assert seen.item == ".question, .answer"
    assert [rule.css for rule in authors.authors(seen)] == [".question", ".answer"]


def test_authors_told_by_a_hidden_prefix():
    def said(who, text):
        return (
            "div",
            {"class": "row"},
            [("span", {"class": "hidden"}, [f"{who} said:"]), ("div", {"class": "words"}, [text])],
        )

    seen = read(page(), page(said("You", "hello"), said("Bot", "What can I do?")))
    assert authors.authors(seen)[0] == AuthorFinding("user", None, "You said:", "likely", authors.authors(seen)[0].why)


def test_authors_that_nothing_tells_apart_are_not_guessed():
    plain = [("div", {"class": "row"}, [text]) for text in ("hello", "What can I do?")]
    [rule] = authors.authors(read(page(), page(*plain)))
    assert (rule.who, rule.css, rule.sure) == ("unknown", "*", "guess")


def test_what_is_not_named_after_an_author_is_not_relied_on():
    ours = ("div", {"class": "row user"}, ["hello"])
    theirs = ("div", {"class": "row top-callout"}, ["What can I do?"])
    rules = authors.authors(read(page(), page(ours, theirs)))
    assert [(rule.who, rule.css) for rule in rules] == [("user", ".user"), ("bot", ".row")]


def test_authors_that_did_not_speak_are_proposed_by_analogy_as_guesses():
    def by(who, text):
        return ("div", {"class": "row", "data-author": who}, [text])

    rules = authors.authors(read(page(by("bot", "Hi")), page(by("bot", "Hi"), by("user", "hello"), by("bot", "yes?"))))
    assert {(rule.who, rule.sure) for rule in rules} == {
        ("user", "likely"), ("bot", "likely"), ("agent", "guess"), ("system", "guess"),
    }  # fmt: skip
    assert next(rule.css for rule in rules if rule.who == "agent") == '[data-author="agent"]'


def test_what_stood_between_message_and_answer_shows_typing():
    dots = ("div", {"class": "typing-dots"}, ["..."])
    before = page()
    waiting = tree(("body", {}, [("div", {"role": "log"}, [row("me", "hello")]), dots, ("textarea", {}, [])]))
    after = page(row("me", "hello"), row("them", "yes?"))
    for number, node in enumerate(waiting.nodes()):  # elements that were not there before
        node.id = 1000 + number
    assert authors.typing(before, [waiting, after], None).css == ".typing-dots"
    assert authors.typing(before, [after], None) is None


def test_words_that_the_page_never_shows_are_not_found():
    assert read(page(row("them", "Welcome")), page(row("them", "Welcome"), row("them", "Who are you?"))) is None


# --- the proposal ----------------------------------------------------------------------------------------------------


def learnt(**more):
    rules = AuthorFinding("user", ".me", None, "likely"), AuthorFinding("bot", ".row", None, "guess", (authors.REST,))
    found = Messages(Finding("list", ".log", "likely"), Finding("item", ".row", "likely"), authors=rules)
    parts = {"input": Finding("input", '[title="a \\"b\\""]', "likely"), "ready": Finding("ready", ".box", "guess")}
    return Learnt("http://127.0.0.1/", send=Finding("send", "Enter", "guess"), messages=found, **(parts | more))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_profile_loads_and_says_of_each_line_how_sure_it_is(tmp_path, lang):
    click = Click("#open", (), "likely")
    text = proposal.write_profile(learnt(frames=("#a", "iframe"), clicks=(click,), ready_socket=True), "ours", lang)
    (tmp_path / "ours.yaml").write_text(text, encoding="utf-8")
    widget = load_widget("ours.yaml", tmp_path)
    assert widget.frame == ("#a", "iframe")
    assert widget.open == (WidgetClick(css="#open"),)
    assert (widget.input, widget.send, widget.ready_socket) == ('[title="a \\"b\\""]', "Enter", True)
    assert widget.agent_after_joined, "bot and human look alike here"
    assert widget.notice("bot", "您前面还有3位").position == 3
    words = {"zh": ("猜测", "很可能"), "en": ("a guess", "likely")}[lang]
    lines = [line for line in text.splitlines() if line.startswith(("ready:", "input:", "send:", "  list:", "  item:"))]
    assert len(lines) == 5
    assert all(any(f"# {word}" in line for word in words) for line in lines)


def test_a_proof_makes_proven_what_it_showed_and_nothing_else():
    one = learnt()
    proposal.proved(one, Proof(opened=True, echo="user", speaker="bot", answer="yes?"))
    assert one.proven
    assert (one.input.sure, one.send.sure, one.messages.item.sure) == ("proven", "proven", "proven")
    assert [rule.sure for rule in one.messages.authors] == ["proven", "proven"]


@pytest.mark.parametrize(
    ("proof", "sure"),
    [
        (Proof(fault="the chat widget did not become ready within 20 s"), ("likely", "guess", "likely")),
        (Proof(opened=True, fault="send lost"), ("proven", "guess", "likely")),
        (Proof(opened=True, echo="unknown", speaker="bot"), ("proven", "proven", "proven")),
        (Proof(opened=True, echo="user"), ("proven", "proven", "likely")),
        (Proof(opened=True, echo="user", speaker="unknown"), ("proven", "proven", "proven")),
    ],
    ids=["not opened", "no echo", "echo not ours", "no answer", "nobody's answer"],
)
def test_a_proof_that_failed_is_a_problem(proof, sure):
    one = learnt()
    proposal.proved(one, proof)
    assert one.proven is False
    assert one.problems
    assert (one.input.sure, one.send.sure, one.messages.item.sure) == sure
