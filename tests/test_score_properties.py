"""What holds of every score sheet, whatever is written into it."""

import os
from fractions import Fraction

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from tests.scored_inputs import as_text, card, load

A, B, C, D = "CMM-525-0005", "CMM-525-0006", "CTS-TBSC97-2026", "CMM-525-0002"
SUMS = {A: 145, B: 185, D: 100}
few = settings(  # SHOPPER_EXAMPLES=500 looks harder
    max_examples=int(os.environ.get("SHOPPER_EXAMPLES", "40")),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

percents = st.integers(0, 10_000).map(lambda n: Fraction(n, 100)) | st.sampled_from([Fraction(0), Fraction(100)])
shares = st.integers(0, 1000).map(lambda n: Fraction(n, 1000)) | st.sampled_from(
    [Fraction(n, 10) for n in (0, 7, 8, 9, 10)]
)
seconds = st.integers(0, 90_000).map(lambda n: Fraction(n, 1000)) | st.sampled_from(
    [Fraction(n) for n in (5, 7, 20, 30)]
)
weeks = st.dictionaries(st.integers(10, 52).map("2026-W{}".format), st.integers(0, 700).map(Fraction), min_size=1)
coverage = st.fixed_dictionaries({"system": shares, "manual": weeks | st.integers(0, 700).map(Fraction)})
frequency = st.fixed_dictionaries({"surveys": st.integers(0, 16).map(lambda n: Fraction(n, 4))})
surveyed = st.fixed_dictionaries(
    {
        "value": shares,
        "n": st.none() | st.integers(20, 2000),
        "source": st.just("survey"),
        "factors": st.fixed_dictionaries({"coverage": coverage, "frequency": frequency}),
        "points": st.fixed_dictionaries({"调研质量": st.integers(0, 20).map(lambda n: Fraction(n, 10))}),
    }
)


def points(**most):
    rows = {row: st.integers(0, 10 * n).map(lambda tenths: Fraction(tenths, 10)) for row, n in most.items()}
    return st.fixed_dictionaries({"points": st.fixed_dictionaries(rows)})


def valued(numbers):
    return numbers.map(lambda value: {"value": value, "source": "system"})


SPECIAL = {
    "A.SQ.1": surveyed,
    "A.SE.1": valued(shares),
    "A.SE.3": valued(seconds),
    "B.SQ.1": points(服务流程规范性=10, 服务用语规范性=8, 服务标准执行=6, 服务记录完整性=6),
    "B.SQ.2": points(专业知识水平=8, 业务能力=8, 沟通能力=7, 问题解决能力=7),
    "B.CS.1": st.tuples(valued(shares), points(调研覆盖率=5, 调研频次=3, 调研质量=2)).map(lambda two: two[0] | two[1]),
    "B.CS.4": points(投诉按期办结率=10, 投诉处理满意度=8, 投诉处理规范性=6, 投诉预防能力=6),
    "B.OE.2": valued(seconds),
    "B.OE.3": valued(shares),
}
WAITS = ("A.SE.3", "B.OE.2")
SWITCHES = {
    A: {
        "composite.include_boost": ["yes", "no"],
        "satisfaction.mode": ["d_table", "multiplicative"],
        "bands.boundary": ["lower_inclusive", "upper_inclusive"],
        "coverage.combine": ["max", "min"],
        "coverage.week_stat": ["mean", "min"],
        "frequency.gap": ["lower", "upper"],
        "asa.floor_s": [10, 60],
        "score_policy": [{"A.SE.1": "value_times_coef"}, {"A.SE.1": "attainment_linear"}, {"A.SE.1": "pass_fail"}],
    },
    B: {
        "composite.include_boost": ["yes", "no"],
        "bands.boundary": ["lower_inclusive", "upper_inclusive"],
        "asa.floor_s": [25, 60],
    },
    D: {"composite.include_boost": ["yes", "no"]},
}


@st.composite
def filled(draw, schemes=(A, B, D)):
    """A scheme, and inputs in which every indicator can be scored, with any of its switches turned."""
    scheme = draw(st.sampled_from(schemes))
    scored = percents.map(lambda score: {"score": score})
    blocks = {"indicators": {}, "boost": {}}
    for dimension, indicator in load(scheme).indicators():
        special = SPECIAL.get(indicator.id)
        one = draw(scored if special is None else scored | special)
        blocks["boost" if dimension.boost else "indicators"][indicator.id] = one
    options = {key: st.sampled_from(choices) for key, choices in SWITCHES[scheme].items()}
    return scheme, {**blocks, "readings": draw(st.fixed_dictionaries({}, optional=options))}


def without(given, draw):
    """The inputs with some indicators left out, and some parts of others."""
    kept = {}
    for block in ("indicators", "boost"):
        kept[block] = {}
        for id_, one in given[block].items():
            how = draw(st.sampled_from(["keep", "keep", "drop", "part"]))
            if how == "part" and ("points" in one or "factors" in one):
                one = {
                    key: value for key, value in one.items() if key in ("value", "n", "source") or draw(st.booleans())
                }
                for key in ("points", "factors"):
                    if key in one:
                        one[key] = {name: value for name, value in one[key].items() if draw(st.booleans())}
            if how != "drop" and (set(one) & {"value", "score"} or one.get("points")):
                kept[block][id_] = one
    return {**given, **kept}


def ends(found):
    return found.composite.literal.low, found.composite.literal.high


@few
@given(filled())
def test_the_parts_add_up(drawn):
    scheme, blocks = drawn
    found = card(scheme, **blocks)
    composite = found.composite
    base = [one for one in composite.dimensions if not one.boost]
    boost = [one for one in composite.dimensions if one.boost]
    assert composite.base.value == sum(one.value * one.factor for one in base)
    assert composite.boost.value == sum(one.value * one.factor for one in boost)
    assert composite.base.full == SUMS[scheme]
    assert composite.normalised.value == composite.base.value / SUMS[scheme] * 100
    added = composite.boost.value if composite.with_boost else 0
    assert composite.literal.value == composite.base.value + added
    for one in composite.dimensions:
        lines = [line for line in found.lines if line.dimension == one.id]
        assert one.value == sum(line.weighted for line in lines)
        assert all(line.weighted == line.score * line.weight / 100 for line in lines)
        assert one.full == sum(line.weight for line in lines)


@few
@given(filled(), st.data())
def test_nothing_is_out_of_bounds(drawn, data):
    scheme, blocks = drawn
    found = card(scheme, **without(blocks, data.draw))
    composite = found.composite
    for one in (composite.base, composite.boost, composite.literal, composite.normalised, *composite.dimensions):
        assert 0 <= one.low <= one.high <= one.full
        assert one.value is None or one.low <= one.value <= one.high
    for line in found.lines:
        assert 0 <= line.open[0] <= line.open[1] <= 100
        assert line.score is None or line.open[0] <= line.score <= line.open[1]


@few
@given(filled(), st.data())
def test_the_range_holds_every_completion(drawn, data):
    scheme, blocks = drawn
    whole = card(scheme, **blocks)
    part = card(scheme, **without(blocks, data.draw))
    low, high = ends(part)
    assert low <= whole.composite.literal.value <= high
    assert part.composite.base.low <= whole.composite.base.value <= part.composite.base.high
    for line in part.lines:
        assert line.open[0] <= whole.line(line.id).score <= line.open[1], line.id


@few
@given(filled(), st.data())
def test_knowing_more_never_widens_the_range(drawn, data):
    scheme, blocks = drawn
    some = without(blocks, data.draw)
    low, high = ends(card(scheme, **without(some, data.draw)))
    near, far = ends(card(scheme, **some))
    assert low <= near <= far <= high


@few
@given(filled(), st.data())
def test_better_is_never_worse(drawn, data):
    scheme, blocks = drawn
    if data.draw(st.booleans()):
        blocks = without(blocks, data.draw)
    before = card(scheme, **blocks)
    block = data.draw(st.sampled_from(["indicators", "boost"]))
    assume(blocks[block])
    id_ = data.draw(st.sampled_from(sorted(blocks[block])))
    one = blocks[block][id_]
    better = _better(id_, one, data.draw)
    after = card(scheme, **{**blocks, block: {**blocks[block], id_: better}})
    assert ends(after)[0] >= ends(before)[0]
    assert ends(after)[1] >= ends(before)[1]
    assert after.line(id_).open >= before.line(id_).open


def _better(id_, one, draw):
    """The same with one number better: a score, a value (a wait is better when it is shorter), a row, a factor."""
    key = draw(st.sampled_from(sorted(set(one) & {"score", "value", "points", "factors"})))
    if key == "score":
        return {**one, key: draw(st.fractions(one[key], 100, max_denominator=1000))}
    if key == "value":
        least, most = (Fraction(0), one[key]) if id_ in WAITS else (one[key], Fraction(1))
        return {**one, key: draw(st.fractions(least, most, max_denominator=1000))} if least < most else one
    if key == "points":
        assume(one[key])
        row = draw(st.sampled_from(sorted(one[key])))
        form = load("CMM-525-0005" if id_.startswith("A") else "CMM-525-0006").form(id_)
        most = next(item.points for item in form.items if item.name.zh == row)
        return {**one, key: {**one[key], row: draw(st.fractions(one[key][row], most, max_denominator=100))}}
    assume(one[key])
    factor = draw(st.sampled_from(sorted(one[key])))
    routes = one[key][factor]
    if factor == "frequency":
        return {**one, key: {**one[key], factor: {"surveys": routes["surveys"] + draw(st.integers(0, 3))}}}
    if draw(st.booleans()):
        system = draw(st.fractions(routes["system"], 1, max_denominator=1000))
        return {**one, key: {**one[key], factor: {**routes, "system": system}}}
    more = draw(st.integers(0, 400))
    manual = routes["manual"]
    manual = {week: n + more for week, n in manual.items()} if isinstance(manual, dict) else manual + more
    return {**one, key: {**one[key], factor: {**routes, "manual": manual}}}


def reordered(value, shuffle):
    """The same mapping, its keys in another order, all the way down."""
    if not isinstance(value, dict):
        return value
    keys = sorted(value)
    shuffle(keys)
    return {key: reordered(value[key], shuffle) for key in keys}


@few
@given(filled(), st.data(), st.randoms(use_true_random=False))
def test_order_and_repetition_change_no_byte(drawn, data, order):
    scheme, blocks = drawn
    blocks = without(blocks, data.draw)
    first = card(scheme, **blocks)
    for other in (blocks, reordered(blocks, order.shuffle)):
        again = card(scheme, **other)
        assert (again.to_json(), as_text(again)) == (first.to_json(), as_text(first))


# CTS TBSC97-2026: occasions

ITEMS = [indicator.id for _, indicator in load(C).indicators()]
LEVELS = [item.id for item in load(C).maturity.items]
MARKS = {indicator.id: indicator.weight for _, indicator in load(C).indicators()}
alphas = st.integers(0, 100).map(lambda n: Fraction(n, 100)) | st.sampled_from([Fraction(1), Fraction(9, 10)])


def some(alpha, draw):
    """At least one of the items."""
    return {item: alpha[item] for item in draw(st.sets(st.sampled_from(sorted(alpha)), min_size=1))}


@st.composite
def rated(draw, whole=True):
    """Occasions of one to three raters: every item that is not waived is rated, or only some are."""
    off = draw(st.just(set()) | st.sets(st.sampled_from(ITEMS), max_size=len(ITEMS) - 1))
    occasions = []
    for number in range(draw(st.integers(1, 5))):
        alpha = {item: draw(alphas) for item in ITEMS if item not in off}
        alpha = alpha if whole else some(alpha, draw)
        occasions.append({"id": f"o{number}", "rater": draw(st.sampled_from(["r1", "r2", "r3"])), "alpha": alpha})
    waived = [{"item": item, "reason": "不适用"} for item in sorted(off)]
    readings = draw(st.sampled_from([{}, {"mean.order": "pooled"}]))
    return {"occasions": occasions, "waived": waived, "readings": readings}


maturities = st.dictionaries(st.sampled_from(LEVELS), st.integers(1, 5)) | st.fixed_dictionaries(
    dict.fromkeys(LEVELS, st.integers(1, 5))
)


@few
@given(rated())
def test_the_mean_is_the_mean_of_the_occasions(blocks):
    found = card(C, **blocks)
    each = {}
    for one in blocks["occasions"]:
        full = sum(MARKS[item] for item in one["alpha"])
        each.setdefault(one["rater"], []).append(100 * sum(MARKS[i] * a for i, a in one["alpha"].items()) / full)
    if blocks["readings"]:
        each = {"all": [score for scores in each.values() for score in scores]}
    means = [sum(scores) / len(scores) for scores in each.values()]
    assert found.composite.literal.value == sum(means) / len(means)


@few
@given(rated())
def test_waiving_items_leaves_a_perfect_score_perfect(blocks):
    perfect = [{**one, "alpha": dict.fromkeys(one["alpha"], Fraction(1))} for one in blocks["occasions"]]
    found = card(C, **{**blocks, "occasions": perfect}).composite.literal
    assert (found.low, found.value, found.high) == (100, 100, 100)


@few
@given(rated(), st.data())
def test_a_range_of_occasions_holds_every_completion(blocks, data):
    part = [{**one, "alpha": some(one["alpha"], data.draw)} for one in blocks["occasions"]]
    whole = card(C, **blocks).composite.literal
    found = card(C, **{**blocks, "occasions": part}).composite.literal
    assert 0 <= found.low <= whole.value <= found.high <= 100


@few
@given(rated(whole=False), st.data())
def test_a_better_alpha_is_never_worse(blocks, data):
    occasions = blocks["occasions"]
    place = data.draw(st.integers(0, len(occasions) - 1))
    alpha = occasions[place]["alpha"]
    assume(alpha)
    item = data.draw(st.sampled_from(sorted(alpha)))
    better = list(occasions)
    raised = data.draw(st.fractions(alpha[item], 1, max_denominator=100))
    better[place] = {**occasions[place], "alpha": {**alpha, item: raised}}
    before, after = card(C, **blocks), card(C, **{**blocks, "occasions": better})
    assert ends(after)[0] >= ends(before)[0]
    assert ends(after)[1] >= ends(before)[1]


@few
@given(rated(), maturities, st.sampled_from(["A", "B"]), st.data())
def test_better_maturity_takes_no_star_away(blocks, maturity, reading, data):
    def stars(levels):
        readings = {**blocks["readings"], "star.reading": reading}
        found = card(C, **{**blocks, "maturity": levels, "gate": "passed", "readings": readings}).stars
        return [-1 if one is None else one for one in found.possible]

    more = {item: data.draw(st.integers(level, 5)) for item, level in maturity.items()}
    assert min(stars(more)) >= min(stars(maturity))
    assert max(stars(more)) >= max(stars(maturity))


@few
@given(rated(whole=False), maturities, st.randoms(use_true_random=False))
def test_order_of_occasions_and_keys_changes_no_byte(blocks, maturity, order):
    blocks = {**blocks, "maturity": maturity, "gate": "passed"}
    occasions = [reordered(one, order.shuffle) for one in blocks["occasions"]]
    other = reordered({**blocks, "occasions": occasions}, order.shuffle)
    order.shuffle(other["occasions"])
    other["waived"] = other["waived"][::-1]
    assert as_text(card(C, **blocks)) == as_text(card(C, **blocks))
    assert as_text(card(C, **other)) == as_text(card(C, **blocks))
