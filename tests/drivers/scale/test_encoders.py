"""The encoders against frames that a manual prints or that were captured in the field, not against our own decoder."""

from functools import partial

import pytest

from drivers.scale.encoders import ENCODERS, Encoder, Shown, encoder
from drivers.scale.encoders.comma import cas22, dini_std
from drivers.scale.encoders.european import crc16
from drivers.scale.encoders.yaohua import yaohua_command
from drivers.scale.frames import indicator_names

KNOWN: list[tuple[str | Encoder, Shown, bytes]] = [
    ("yaohua_tf0", Shown(1_560), bytes.fromhex("022B30303135363030313903")),
    ("yaohua_tf0", Shown(20, decimals=2), bytes.fromhex("022B30303230303032314203")),
    (partial(yaohua_command, ask=b"B"), Shown(8_880, unit="t", decimals=3), b"\x02AB+008880313\x03"),
    (partial(yaohua_command, ask=b"D", clone=True), Shown(780, unit="t", decimals=2), b"\x02AD+000078216\x03"),
    ("yaohua_w", Shown(0, overload=True), b"         OL23\r\n"),
    ("yaohua_w", Shown(0, underload=True), b"         LO23\r\n"),
    ("eq_reversed", Shown(290), b"=09200000"),
    ("eq_reversed", Shown(-1, decimals=2), b"=00.1000-"),
    ("eq_plain", Shown(3, decimals=3), b"=0003.000"),
    ("eq_plain", Shown(-1, decimals=2), b"=-0001.00"),
    ("eq_kg", Shown(-1_320), b"=-001320(kg)\r\n"),
    ("ad_std", Shown(123, decimals=1), b"ST,GS,+00123.0kg\r\n"),
    ("mt_sics", Shown(100, decimals=2), b"S S     100.00 kg\r\n"),
    ("mt_sics", Shown(0, overload=True), b"S +\r\n"),
    ("dini_std", Shown(0, decimals=1), b"ST,GS,     0.0,kg\r\n"),
    (partial(dini_std, address=1), Shown(0, decimals=1), b"01ST,GS,     0.0,kg\r\n"),
    ("dini_ext", Shown(0, decimals=3), b"1,ST,     0.000,       0.000,         0,kg\r\n"),
    ("rinstrum_net", Shown(426), b"81050026:    426 kg G\r\n"),
    ("systec", Shown(20_000, alibi=2), b"<000005.06.1813:12   21   20000       0   20000kg     1   27387>\r\n"),
    ("prot_f", Shown(-494, unit="t", decimals=3), b"\x02-00.494\x03"),
    ("dingsong_c", Shown(8), bytes.fromhex("02416330203020302030203820") + b"<0t\x03"),
    ("prot_f", Shown(20, moving=True), b"\x02IIIIII\x03"),
    ("sartorius_sbi", Shown(1_236, decimals=2, unit="t"), b"N     +     1.24 t  \r\n"),
    ("sartorius_sbi", Shown(0, overload=True), b"Stat        H       \r\n"),
]


@pytest.mark.parametrize(("how", "shown", "frame"), KNOWN)
def test_what_a_manual_prints_is_what_is_sent(how: str | Encoder, shown: Shown, frame: bytes) -> None:
    encode = encoder(how) if isinstance(how, str) else how
    assert encode(shown) == frame


def test_toledo_and_cas_send_what_was_captured_but_for_blanks_and_idents() -> None:
    assert encoder("toledo")(Shown(1_330)).replace(b" ", b"0", -1)[4:17] == b"001330000000\r"
    assert encoder("toledo")(Shown(1_330))[1:4] == b"*0 "
    frame = cas22(Shown(1_330, unit="t", decimals=2))
    assert (len(frame), frame[7], frame[9:17]) == (22, 0xC4, b"    1.33")
    assert cas22(Shown(0, unit="t", decimals=2))[7] == 0xC5


def test_the_crc_of_the_systec_record_is_that_of_its_manual() -> None:
    assert crc16(b"000005.06.1813:12   21   20000       0   20000kg     1") == 27_387


@pytest.mark.parametrize("indicator", sorted(ENCODERS))
def test_a_number_that_does_not_fit_is_never_sent_cut_off(indicator: str) -> None:
    with pytest.raises(ValueError, match="does not fit into the"):
        ENCODERS[indicator](Shown(12_345_678_901))


def test_a_tare_is_taken_off_before_it_is_shown() -> None:
    shown = Shown(14_520, tare_kg=9_000)
    assert b"5520" in encoder("ad_std")(shown)
    assert b",NT," in encoder("ad_std")(shown)
    assert b"14520" in encoder("rinstrum_net")(shown), "register 0026 is gross whatever is displayed"


def test_tonnes_are_rounded_half_up_on_both_sides_of_zero() -> None:
    for kg, text in ((14_525, "14.53"), (-14_525, "-14.53"), (4, "0.00"), (-4, "0.00"), (-5, "-0.01")):
        assert Shown(kg, unit="t", decimals=2).number(kg) == text


def test_every_encoder_has_a_profile_and_every_profile_an_encoder() -> None:
    assert set(ENCODERS) == set(indicator_names())
