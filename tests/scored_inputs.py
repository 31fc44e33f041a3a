"""Scores inputs that a test writes as plain data, and finds things in what comes out."""

import json
from datetime import date
from fractions import Fraction
from functools import cache
from math import comb

from scoring.contract import as_contract
from scoring.inputs import Inputs, check
from scoring.scheme import load_scheme
from scoring.scorer import score

TODAY = date(2026, 11, 21)
load = cache(load_scheme)


def card(scheme, metrics=None, today=TODAY, **blocks):
    """The scorecard of inputs whose blocks (``indicators``, ``boost``, ``readings``, ...) are given."""
    entered = check(Inputs.model_validate({"scheme": scheme, **blocks}), load(scheme))
    return score(metrics, load(scheme), entered, today=today)


def contract(scheme, **more):
    """The same as other programs read it, through JSON."""
    return json.loads(as_text(card(scheme, **more)))


def as_text(card):
    return json.dumps(as_contract(card), ensure_ascii=False)


def indicator(found, id_):
    return next(one for one in found["indicators"] if one["id"] == id_)


def codes(found):
    return [warning["code"] for warning in found["warnings"]]


def warning(found, code):
    """The texts of one code, in one string."""
    return " ".join(json.dumps(one["text"], ensure_ascii=False) for one in found["warnings"] if one["code"] == code)


def scores(numbers):
    """``{"A.SQ.2": 88}`` as a block of inputs."""
    return {id_: {"score": one} for id_, one in numbers.items()}


def number(exact):
    """The JSON number nearest to an exact one (given as a Fraction, an int or text): scores are not rounded."""
    return float(Fraction(exact))


def at_most(k, n, p):
    """P(X <= k) for X binomial, n draws of chance p, exactly."""
    return sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


def shown(k, n, p0, alpha=Fraction(1, 20)):
    """The three-way decision on "rate >= p0" by its definition (domain 3.1), with exact rationals and no quantiles.

    The lower Clopper-Pearson bound reaches p0 exactly when P(X >= k | p0) <= alpha; the upper one does not exceed it
    exactly when P(X <= k | p0) <= alpha.
    """
    p0 = Fraction(p0)
    if k and 1 - at_most(k - 1, n, p0) <= alpha:
        return "符合"
    return "不符合" if k < n and at_most(k, n, p0) <= alpha else "不能判定"
