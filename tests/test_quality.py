"""The E-model: G.107's own figures, and what must hold whatever goes in."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from probes.target import Codec
from probes.voice.quality import (
    CODECS,
    Parameters,
    Quality,
    basic_ratio,
    delay_alone,
    delayed,
    equipment,
    estimate,
    loss_pattern,
    mos_cqe,
    noise,
    one_way_delay,
    rating,
    simultaneous,
)

DEFAULT = Parameters()
SHARES = st.floats(0, 1)
DELAYS = st.floats(0, 2000)
LISTED = st.sampled_from(sorted(CODECS))


def test_defaults_of_g107():
    assert rating() == pytest.approx(93.2, abs=0.05)
    assert mos_cqe(rating()) == pytest.approx(4.41, abs=0.005)
    assert basic_ratio(DEFAULT) == pytest.approx(94.77, abs=0.005)
    assert simultaneous(DEFAULT) == pytest.approx(1.41, abs=0.005)
    assert noise(DEFAULT) == pytest.approx(-61.18, abs=0.005)
    assert delayed(DEFAULT) == pytest.approx(0.15, abs=0.005)
    assert equipment(DEFAULT) == 0


@pytest.mark.parametrize(("r", "mos"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_table_of_r_and_mos(r, mos):
    assert mos_cqe(r) == pytest.approx(mos, abs=0.01)


@pytest.mark.parametrize(("r", "mos"), [(-20, 1), (0, 1), (3, 1), (100, 4.5), (120, 4.5)])
def test_ends_of_the_scale(r, mos):
    assert mos_cqe(r) == mos


@pytest.mark.parametrize(("ta", "idd"), [(0, 0), (100, 0), (150, 0.16), (200, 3.04), (300, 14.76), (400, 24.07)])
def test_delay_alone(ta, idd):
    assert delay_alone(replace(DEFAULT, ta=ta)) == pytest.approx(idd, abs=0.005)


@pytest.mark.parametrize(
    ("ie", "bpl", "ppl", "effective"),
    [
        (0, 4.3, 1, 17.92),
        (0, 25.1, 1, 3.64),
        (0, 25.1, 5, 15.78),
        (11, 19, 2, 19.0),
        (15, 16.1, 0, 15),
        (0, 4.3, 100, 91.08),
    ],
)
def test_codec_and_loss(ie, bpl, ppl, effective):
    assert equipment(replace(DEFAULT, ie=ie, bpl=bpl, ppl=ppl)) == pytest.approx(effective, abs=0.005)


def test_echo_sidetone_and_quantisation_spoil_it():
    assert rating(replace(DEFAULT, t=150, tr=300, ta=150)) < 90
    assert rating(replace(DEFAULT, t=150, tr=300, ta=150, telr=35)) < 50
    for worse in ({"stmr": 5.0}, {"stmr": 30.0, "t": 20.0}, {"qdu": 14.0}, {"pr": 65.0}, {"wepl": 5.0, "tr": 100.0}):
        assert rating(replace(DEFAULT, **worse)) < rating() - 0.5, worse


@given(LISTED, SHARES, SHARES, st.floats(0, 500), st.booleans())
def test_more_loss_is_never_better(codec, one, other, jitter, concealed):
    less, more = sorted((one, other))
    good = estimate(codec, loss=less, jitter_ms=jitter, concealed=concealed)
    bad = estimate(codec, loss=more, jitter_ms=jitter, concealed=concealed)
    assert bad.r <= good.r
    assert bad.mos_cqe <= good.mos_cqe


@given(LISTED, DELAYS, DELAYS, SHARES)
def test_more_delay_is_never_better(codec, one, other, loss):
    near, far = sorted((one, other))
    assert estimate(codec, loss=loss, round_trip_ms=far).r <= estimate(codec, loss=loss, round_trip_ms=near).r


@given(st.floats(1, 10), st.floats(1, 10), SHARES)
def test_losses_that_come_together_are_worse(one, other, loss):
    single, bursts = sorted((one, other))
    assert estimate("PCMA", loss=loss, burst_ratio=bursts).r <= estimate("PCMA", loss=loss, burst_ratio=single).r


@given(st.floats(-50, 150), st.floats(-50, 150))
def test_mos_follows_r(one, other):
    low, high = sorted((one, other))
    assert 1 <= mos_cqe(low) <= mos_cqe(high) <= 4.5


@given(LISTED, SHARES, st.floats(0, 20), st.floats(0, 1000), st.none() | DELAYS)
def test_whatever_happened_the_figures_are_on_their_scales(codec, loss, burst, jitter, round_trip):
    found = estimate(codec, loss=loss, burst_ratio=burst, jitter_ms=jitter, round_trip_ms=round_trip)
    assert 0 <= found.r <= 100
    assert 1 <= found.mos_cqe <= 4.5
    assert Quality.model_validate_json(found.model_dump_json()) == found


def test_a_good_call_and_what_is_not_known_of_it():
    found = estimate("PCMA", loss=0)
    assert (found.r, found.mos_cqe, found.kind, found.delay_known) == (93.2, 4.41, "estimate", False)
    assert estimate("pcmu", loss=0, round_trip_ms=40).delay_known


def test_concealment_counts_for_g711():
    assert estimate("PCMA", loss=0.03).r > 80 > 60 > estimate("PCMA", loss=0.03, concealed=False).r
    assert estimate("GSM", loss=0.03).r == estimate("GSM", loss=0.03, concealed=False).r


def test_a_codec_without_figures_has_no_figure():
    found = estimate("speex", loss=0.01)
    assert found.r is None
    assert found.mos_cqe is None
    assert found.loss == 0.01
    assert "speex" in found.note


def test_every_codec_that_we_offer_has_figures_or_says_why_not():
    offered = get_args(Codec)
    assert "PCMA" in offered
    for codec in offered:
        found = estimate(codec, loss=0)
        assert found.r is not None or found.note


@pytest.mark.parametrize(
    "wrong", [{"loss": 1.1}, {"loss": -0.1}, {"loss": 0, "jitter_ms": -1}, {"loss": 0, "burst_ratio": -1}]
)
def test_figures_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="loss"):
        estimate("PCMA", **wrong)


def test_a_record_is_checked():
    with pytest.raises(ValidationError):
        Quality(r=90, mos_cqe=4, loss=2, burst_ratio=1, jitter_ms=0, delay_ms=20, delay_known=True, codec="PCMA")


def test_delay_is_made_of_its_parts():
    assert one_way_delay(None, 0) == 20
    assert one_way_delay(100, 15, packet_ms=30) == 50 + 30 + 30


@pytest.mark.parametrize(
    ("arrived", "loss", "ratio"),
    [
        ("", 0, 1),
        ("11111", 0, 1),
        ("00000", 1, 1),
        ("1111011110", 0.2, 0.8),
        ("1110000111", 0.4, 2.4),
        ("0111111111", 0.1, 0.9),
    ],
)
def test_loss_pattern(arrived, loss, ratio):
    found = loss_pattern(np.array([one == "1" for one in arrived], bool))
    assert found == pytest.approx((loss, ratio))


def test_random_losses_have_a_burst_ratio_of_one():
    random = np.random.default_rng(4)
    share, ratio = loss_pattern(random.random(200_000) > 0.2)
    assert share == pytest.approx(0.2, abs=0.005)
    assert ratio == pytest.approx(1, abs=0.01)


@given(st.lists(st.booleans(), max_size=200))
def test_loss_pattern_is_always_in_range(arrived):
    share, ratio = loss_pattern(np.array(arrived, bool))
    assert 0 <= share <= 1
    assert ratio > 0
