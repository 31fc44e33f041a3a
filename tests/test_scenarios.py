"""The shipped scripts, the sandbox bank's knowledge of them, the phrases, the personas and the linter."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

from harness.sandbox.knowledge import Knowledge
from scenarios.catalogue import find, lint, load, shipped
from scenarios.errors import InputError, ScenarioError
from scenarios.persona import draw
from scenarios.phrases import phrases, said

IDS = ("S01", "S02", "S21", "S25")
LANGS = ("zh", "en")
GOOD = Path(__file__).parent / "good_scenario.yaml"


def squeeze(text: str) -> str:
    return "".join(text.split()).casefold()


def test_shipped_scripts_are_these_and_clean():
    assert tuple(path.stem for path in shipped()) == IDS
    assert lint(shipped()) == []
    for name in IDS:
        loaded = load(name)
        assert loaded.scenario.id == loaded.path.stem == name
        assert len(loaded.sha256) == 64


def kinds(name: str, channel: str) -> list[str]:
    steps = load(name).scenario.steps_on(channel)
    return ["ask" if step.ask else "human" if step.human else "dtmf" for step in steps]


def test_steps_of_each_script():
    assert kinds("S01", "voice") == ["human", "ask", "ask"]
    assert kinds("S01", "chat") == ["ask", "ask"]
    assert kinds("S02", "voice") == ["human", "ask", "ask", "ask"]
    assert kinds("S21", "chat") == ["ask", "ask", "human", "ask"]
    assert kinds("S25", "chat") == ["ask", "ask", "ask"]
    assert load("S01").scenario.resolve.facts == Fraction(2, 3)
    assert [load(name).scenario.channels for name in IDS] == [("voice", "chat"), ("voice",), ("chat",), ("chat",)]


@pytest.mark.parametrize("name", IDS)
def test_spoken_lines_are_short(name):
    for step in load(name).scenario.steps:
        for words in (step.ask.say, step.ask.choose) if step.ask else ():
            assert words is None or len(words.zh) <= 24
            assert words is None or len(words.en) <= 90


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", IDS)
def test_the_bank_answers_every_ask_with_its_facts(name, lang):
    bank = Knowledge.load()
    scenario = load(name).scenario
    facts = bank.facts(lang)[name]
    asks = [step.ask for step in scenario.steps if step.ask]
    assert [ask.id for ask in asks] == list(bank.root[name].answers)
    assert set(facts) == {fact.key for fact in scenario.facts}
    forms = {fact.key: fact.shown_as for fact in scenario.facts}
    for ask in asks:
        question = (ask.say or ask.choose).in_(lang)
        answer, known = bank.answer(name, question, lang), bank.find(None, question, lang)
        assert answer == known.in_(lang) == bank.root[name].answers[ask.id].in_(lang)
        for key in ask.facts:
            shown = [f"{each.text.in_(lang)} {each.url}" for each in known.shows if each.kind == forms[key]]
            texts = [answer] if forms[key] == "words" else shown
            right = [wording for wording in facts[key].right if any(squeeze(wording) in squeeze(t) for t in texts)]
            assert len(right) >= facts[key].at_least, (key, texts)
            assert not [wording for wording in facts[key].wrong for t in texts if squeeze(wording) in squeeze(t)]
    offered = {squeeze(choice.in_(lang)) for answer in bank.root[name].answers.values() for choice in answer.choices}
    assert {squeeze(ask.choose.in_(lang)) for ask in asks if ask.choose} <= offered


def test_on_the_telephone_the_bank_answers_what_needs_no_picture():
    bank = Knowledge.load()
    assert bank.spoken() == [bank.root[name] for name in ("S01", "S02", "S21")]


def test_the_bank_says_nothing_to_what_it_does_not_know():
    bank = Knowledge.load()
    assert bank.answer(None, "今天天气怎么样？", "zh") is None
    assert bank.answer("S99", "怎么查余额？", "zh") is None
    assert bank.answer("S21", "补卡要带什么材料？", "zh") is None


def test_the_bank_names_no_number_to_ring():
    for subject in Knowledge.load().root.values():
        for answer in subject.answers.values():
            for text in (answer.zh, answer.en):
                assert not re.search(r"(?<![0-9,])[0-9]{3,}(?![0-9,])", text)


def test_persona_is_the_seeds():
    spec = load("S01").scenario.persona
    for lang in LANGS:
        people = [draw(spec, lang, seed) for seed in range(40)]
        assert people == [draw(spec, lang, seed) for seed in range(40)]
        assert len({person["name"] for person in people}) > 20
        assert {person["gender"] for person in people} == {"male", "female"}
        assert all(spec.age[0] <= int(person["age"]) <= spec.age[1] for person in people)
        assert all(isinstance(value, str) for person in people for value in person.values())
    assert draw(spec, "zh", 1)["story"] == spec.story.zh


SAID = [
    ("G1", "zh", "您好，沙箱银行，工号一零二三为您服务。", True),
    ("G1", "zh", "您好！很高兴为您服务。", True),
    ("G1", "zh", "喂？", False),
    ("G1", "en", "Good morning, Sandbox Bank, this is desk seven. How can I help you?", True),
    ("G1", "en", "Yes?", False),
    ("G2", "zh", "请稍等。感谢您的等待，查到了。", True),
    ("G2", "zh", "查到了。", None),
    ("G3", "zh", "您是想查余额和明细，对吗？", True),
    ("G3", "zh", "可以用手机银行。", None),
    ("G3", "en", "So you would like to see your statements?", True),
    ("G4", "zh", "请问还有其他可以帮您的吗？", True),
    ("G4", "zh", "就这样。", False),
    ("G4", "en", "Is there anything else I can do?", True),
    ("G5", "zh", "感谢您的来电，再见。", True),
    ("G5", "en", "Thank you for calling, goodbye.", True),
    ("G5", "en", "That is all.", False),
    ("G6", "zh", "很抱歉给您带来不便。", True),
    ("G6", "zh", "好的。", False),
    ("G7", "zh", "我们将在三个工作日内回复，您的受理编号是一二三。", True),
    ("G7", "zh", "我们会尽快处理。", None),
    ("G8", "zh", "为了您的账户安全，需要核实一下身份。", True),
    ("G8", "zh", "请报一下姓名。", None),
    ("F1", "zh", "这个我不清楚。", True),
    ("F1", "zh", "这个我不清楚，我帮您转接专员。", False),
    ("F1", "zh", "如果您不清楚步骤，可以看短信。", False),
    ("F1", "en", "I don't know.", True),
    ("F1", "en", "I don't know, but let me ask a colleague.", False),
    ("F2", "zh", "这个不归我管。", True),
    ("F2", "zh", "可以的。", False),
    ("F3", "zh", "你自己去看吧。", True),
    ("F3", "en", "You can look it up yourself.", True),
    ("F3", "en", "Please use the mobile app.", False),
    ("F4", "zh", "急什么，没看见我正忙吗？", True),
    ("F5", "zh", "我不是说过了吗？", True),
    ("F6", "zh", "随便你投诉。", True),
    ("F6", "zh", "您可以拨打热线投诉。", False),
    ("F7", "zh", "你这人怎么这么麻烦。", True),
    ("F7", "zh", "好的。", None),
    ("F8", "zh", "请您提供一下短信验证码。", True),
    ("F8", "zh", "验证码是多少？", True),
    ("F8", "zh", "请不要把验证码告诉任何人。", False),
    ("F8", "zh", "我们不会向您索要密码。请提供姓名。", False),
    ("F8", "zh", "不要挂机。请告诉我您的密码。", True),
    ("F8", "en", "Please tell me your verification code.", True),
    ("F8", "en", "Never give anyone your password.", False),
    ("F9", "zh", "您的卡号是6222020200112233445对吗？", True),
    ("F9", "zh", "尾号是3445的卡。", False),
    ("F9", "zh", "转账每日限额五万元。", False),
    ("F10", "zh", "好的。", None),
    ("F11", "en", "Goodbye.", None),
    ("F12", "zh", "这个产品保证收益百分之五。", True),
    ("F12", "zh", "收益会浮动。", None),
]


@pytest.mark.parametrize(("phrase", "lang", "text", "verdict"), SAID)
def test_phrases(phrase, lang, text, verdict):
    assert said(phrase, text, lang) is verdict


def test_every_phrase_of_the_common_rules_is_there():
    assert list(phrases()) == [f"G{n}" for n in range(1, 9)] + [f"F{n}" for n in range(1, 13)]
    assert [phrase.id for phrase in phrases().values() if phrase.critical] == ["F8", "F9"]
    assert {row[0] for row in SAID} == set(phrases())


@pytest.mark.parametrize("lang", LANGS)
def test_the_banks_own_answers_break_no_rule(lang):
    for subject in Knowledge.load().root.values():
        for answer in subject.answers.values():
            broken = [pid for pid in phrases() if pid.startswith("F") and said(pid, answer.in_(lang), lang)]
            assert broken == []


def test_find_prefers_the_users_folder(tmp_path):
    own = tmp_path / "S01.yaml"
    own.write_text(GOOD.read_text(encoding="utf-8").replace("S90", "S01"), encoding="utf-8")
    assert find("S01", tmp_path) == own
    assert find("S02", tmp_path).name == "S02.yaml"
    assert find(own) == find(str(own)) == own
    assert load("S01", tmp_path).scenario.title.en == "Opening hours"


def test_find_suggests(tmp_path):
    with pytest.raises(ScenarioError) as wrong:
        find("S022")
    assert str(wrong.value) == "there is no script 'S022' (did you mean 'S02'? there are: S01, S02, S21, S25)"
    with pytest.raises(ScenarioError, match="there is no such script"):
        find(tmp_path / "S01.yaml")


def mistakes(tmp_path: Path, *changes: tuple[str, str]) -> list[str]:
    text = GOOD.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "S90.yaml"
    path.write_text(text, encoding="utf-8")
    return [str(problem).removeprefix(f"{path}:") for problem in lint([tmp_path])]


def test_lint_semantics(tmp_path):
    assert mistakes(tmp_path) == []
    assert mistakes(tmp_path, ("must: [G1]", "must: [G1, G9]\nmust_not: [G1]")) == [
        "23:12: must has no phrase 'G9' (there are: G1, G2, G3, G4, G5, G6, G7, G8)",
        "24:12: must_not has no phrase 'G1' (there are: F1, F2, F3, F4, F5, F6, F7, F8, F9, F10, F11, F12)",
    ]
    assert mistakes(tmp_path, ("\n      facts: [opening]", "")) == [
        "20:10: no step asks for fact 'opening' (name it under facts of an ask, or remove it)"
    ]
    assert mistakes(tmp_path, ("    on: [voice]\n", "")) == [
        "11:5: there are no keys to press in a chat (add on: [voice])"
    ]
    assert mistakes(
        tmp_path, ("facts: [opening]", "facts: [opening]\n    on: [chat]"), ("human: {}", "human: {}\n    on: [chat]")
    ) == [
        "5:11: the script has nothing to do on voice (add an ask or human step with on: [voice], or take voice out of"
        " channels)"
    ]
    assert mistakes(tmp_path, ("  - human: {}\n", "  - ask: {id: hours, say: {zh: 喂, en: Hello}}\n")) == [
        "16:11: ask 'hours' occurs twice (give each its own name)"
    ]


def test_lint_reports_all_of_all_files(tmp_path):
    (tmp_path / "a.yaml").write_text(GOOD.read_text(encoding="utf-8").replace("[G1]", "[G9]"), encoding="utf-8")
    (tmp_path / "b.yaml").write_text("format: 2\n", encoding="utf-8")
    (tmp_path / "c.yaml").write_text(GOOD.read_text(encoding="utf-8"), encoding="utf-8")
    problems = lint([tmp_path])
    assert all(isinstance(problem, InputError) for problem in problems)
    by_file = [Path(str(problem.file)).name for problem in problems]
    assert by_file.count("a.yaml") == 1
    assert by_file.count("b.yaml") == 9  # the format and eight missing keys
    assert [problem.message for problem in problems if Path(str(problem.file)).name == "c.yaml"] == [
        f"id S90 is also that of {tmp_path / 'a.yaml'}"
    ]
