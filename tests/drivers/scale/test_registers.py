"""Register maps without a line: the words of the manuals, the orders, floats, codes, and what a map may not say."""

import json
import struct
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus import registers_folder
from drivers.readings import WeightFault
from drivers.scale.frames import to_reading
from drivers.scale.layout import WireWeight
from drivers.scale.register_words import bytes_of, read_registers, words_of
from drivers.scale.registers import RegisterMap, load_register_map, register_map_names

CORPUS = Path(__file__).resolve().parents[3].parent / "shared" / "frames" / "dev.jsonl"
FIRST = ("generic_transmitter", "hbm_wtx")
SITE: dict[str, dict[str, Any]] = {
    "hbm_wtx": {},
    "flintec_ft112": {"word_order": "big"},
    "pt113": {"word_order": "big", "decimals": 0},
    "id551": {"word_order": "big", "decimals": 0},
    "znsv6t1": {"word_order": "big", "decimals": 0},
    "kpr": {"word_order": "little", "decimals": 0},
}
"""What a site must say of each map; all others need the decimals only."""


def complete(name: str, **site: Any) -> RegisterMap:
    return load_register_map(name).for_site(**(SITE.get(name, {"decimals": 0}) | site))


def read(found: RegisterMap, *words: int) -> WireWeight:
    return read_registers(found, words, b"")


def weight(found: RegisterMap, *words: int) -> Decimal | None:
    return read(found, *words).weight


def test_every_family_of_the_list_has_a_map() -> None:
    wanted = {"pt113", "flintec_ft112", "id551", "laumas", "zsg4", "znsv6t1", "kpr", "dini_dgt4x", "cas_ci600d", *FIRST}
    assert wanted <= set(register_map_names())
    assert not [name for name in register_map_names() if name.startswith("relay")]


@pytest.mark.parametrize("name", register_map_names())
def test_every_map_says_where_it_is_from_and_how_sure_it_is(name: str) -> None:
    found = load_register_map(name)
    assert all(len(text) > 3 for text in (found.title, found.manual, found.certain, found.uncertain))
    assert found.for_site(word_order="big", decimals=0).count <= 32, "Laumas answers 32 registers at most"


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
def test_the_corpus_reply_and_request() -> None:
    lines = [json.loads(line) for line in CORPUS.read_text("utf-8").splitlines()]
    modbus = [line for line in lines if line["protocol"].startswith("modbus_rtu")]
    assert len(modbus) >= 2
    for line in modbus:
        frame = bytes.fromhex(line["hex"])
        assert modbus_crc(frame[:-2]) == frame[-2:], "the CRC is right, low byte first"
        assert frame[1] == line["expect"]["fc"]
        found = complete("generic_transmitter", decimals=2)
        if line["protocol"] == "modbus_rtu_reply":
            assert found.word_order == line["expect"]["word_order"]
            assert str(weight(found, *struct.unpack(">HH", frame[3:-2]))) == line["expect"]["weight"]
        else:
            asked = struct.unpack(">HH", frame[2:-2])
            assert asked == (line["expect"]["address"], line["expect"]["count"]) == (found.first, found.count)


def modbus_crc(data: bytes) -> bytes:
    """CRC-16 of Modbus over Serial Line V1.02, 6.2.2, written out so that pymodbus is not its own judge."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


def test_generic_transmitter_by_its_manual() -> None:
    found = complete("generic_transmitter", decimals=2)
    assert (found.function, found.first, found.count, found.device_id) == (3, 0, 2, 1)
    assert str(weight(found, 0x02F8, 0x0000)) == "7.60"
    assert str(weight(found, 0xFFFF, 0xFFFF)) == "-0.01"
    assert str(weight(found, 0x0001, 0x0001)) == "655.37"
    told = {telling.command: [step.model_dump() for step in telling.steps] for telling in found.command}
    writes = {name: [(step["address"], step["value"]) for step in steps] for name, steps in told.items()}
    assert writes == {
        "zero": [(0x0B, 0), (0x0B, 0x0800)],
        "tare": [(0x0B, 0), (0x0B, 0x1000)],
        "clear_tare": [(0x0B, 0), (0x0B, 0x2000)],
    }


# Words 2 to 5 as the maker's library reads them: gross high, gross low, status, decimals << 4 | unit << 7.
WTX: list[tuple[str, Sequence[int], dict[str, Any]]] = [
    ("14560 kg at rest", (0x0000, 0x38E0, 0x0000, 0x0000), {"weight": "14560", "stable": True, "unit": "kg"}),
    ("70000 kg", (0x0001, 0x1170, 0x0000, 0x0000), {"weight": "70000", "stable": True}),
    ("-20 kg", (0xFFFF, 0xFFEC, 0x0000, 0x0000), {"weight": "-20"}),
    ("two decimals", (0x0000, 0x38E0, 0x0000, 0x0020), {"weight": "145.60"}),
    ("tonnes, three decimals", (0x0000, 0x38E0, 0x0000, 0x0130), {"weight": "14.560", "unit": "t"}),
    ("moving", (0x0000, 0x38E0, 0x0010, 0x0000), {"weight": "14560", "stable": False}),
    ("limit 1: under", (0xFFFF, 0xFF00, 0x0004, 0x0000), {"weight": None, "underload": True, "overload": False}),
    ("limit 2: over", (0x0001, 0x1170, 0x0008, 0x0000), {"weight": None, "overload": True, "underload": False}),
    ("limit 3: above safe load", (0x0001, 0x1170, 0x000C, 0x0000), {"weight": None, "overload": True}),
    ("general error", (0x0000, 0x38E0, 0x0001, 0x0000), {"weight": None}),
    ("scale alarm", (0x0000, 0x38E0, 0x0002, 0x0000), {"weight": None}),
    ("net on the display, gross in 2-3", (0x0000, 0x38E0, 0x0080, 0x0000), {"weight": "14560", "mode": "gross"}),
    ("pounds", (0x0000, 0x38E0, 0x0000, 0x0180), {"unit": "lb"}),
    ("seven decimals: no scale has them", (0x0000, 0x38E0, 0x0000, 0x0070), {"weight": None}),
]


@pytest.mark.parametrize(("words", "expected"), [case[1:] for case in WTX], ids=[case[0] for case in WTX])
def test_hbm_wtx_word_by_word(words: Sequence[int], expected: dict[str, Any]) -> None:
    found = complete("hbm_wtx")
    assert (found.function, found.first, found.count) == (3, 2, 4)
    wire = read(found, *words)
    said = {name: getattr(wire, name) for name in expected}
    assert (
        said | {"weight": wire.weight and str(wire.weight)} == {"weight": wire.weight and str(wire.weight)} | expected
    )


def test_laumas_and_dini_send_a_magnitude_and_a_sign_bit() -> None:
    laumas, dini = complete("laumas"), complete("dini_dgt4x", decimals=1)
    assert weight(laumas, 1 << 7 | 1 << 11, 0x0000, 0x0064) == -100
    assert read(laumas, 1 << 11, 0x0001, 0x1170).weight == 70000
    assert read(laumas, 0, 0, 5).stable is False, "bit 11 is stability: clear is moving"
    assert (dini.function, dini.first, dini.count) == (4, 0, 5)
    assert weight(dini, 0, 1000, 0, 0, 1 << 1 | 1 << 2) == Decimal("-100.0")
    assert weight(dini, 0, 1000, 0, 0, 1 << 0 | 1 << 2) == Decimal("100.0"), "bit 0 is the sign of net"
    assert read(dini, 0, 1000, 0, 0, 1 << 4).overload and weight(dini, 0, 1000, 0, 0, 1 << 4) is None


def test_pt113_reads_gross_and_its_error_codes() -> None:
    found, ok = complete("pt113"), 1 << 1
    assert weight(found, ok, 0, 0, 1, 0x86A0) == 100_000
    assert weight(found, ok | 1 << 0, 0, 0, 0, 5) is None, "busy"
    assert weight(found, 0, 0, 0, 0, 5) is None, "data not ok"
    assert read(found, ok | 2 << 13, 0, 0, 0, 5).overload
    assert read(found, ok | 3 << 13, 0, 0, 0, 5).underload
    for code in (1, 4, 5, 6, 7):
        assert weight(found, ok | code << 13, 0, 0, 0, 5) is None, f"error code {code}"
    assert weight(complete("pt113", word_order="little"), ok, 0, 0, 0x86A0, 1) == 100_000


@pytest.mark.parametrize("order", ["big", "little"])
def test_flintec_counts_its_decimals_in_bits_of_a_long_status(order: str) -> None:
    found = complete("flintec_ft112", word_order=order)

    def long(value: int) -> list[int]:
        return words_of(value, 2, found.word_order or "big")

    def said(status: int, errors: int = 0) -> WireWeight:
        return read(found, *long(14560), *long(status), *long(errors), *long(7))

    assert [str(said(1 << bit).weight) for bit in (31, 30, 29, 28, 27)] == [
        "14560", "1456.0", "145.60", "14.560", "1.4560"
    ]  # fmt: skip
    assert said(1 << 31 | 1 << 30).weight is None, "two points are none"
    assert said(1 << 31 | 1 << 2).stable is False and said(1 << 31).stable is True
    assert said(1 << 31 | 1 << 13).weight is None, "high resolution has a digit more"
    assert said(1 << 31, errors=1 << 4).overload


def float_words(number: float) -> tuple[int, int]:
    high, low = struct.unpack(">HH", struct.pack(">f", number))
    return high, low


def test_a_float_becomes_the_displayed_decimal_and_nothing_else() -> None:
    ok = 1 << 15
    whole, tenths = complete("id551"), complete("id551", decimals=1)
    assert str(weight(whole, *float_words(14560.0), ok)) == "14560"
    assert str(weight(tenths, *float_words(0.1), ok)) == "0.1"
    assert str(weight(tenths, *float_words(-80000.3), ok)) == "-80000.3"
    assert str(weight(whole, *float_words(-0.0), ok)) == "0"
    for nonsense in (float("nan"), float("inf"), float("-inf"), 3.0e38):
        wire = read(whole, *float_words(nonsense), ok)
        assert wire.weight is None
        assert to_reading(wire, 0).gross_kg is None
    assert weight(whole, *float_words(14560.0), 0) is None, "bit 15 clear: the data are not ok"


@given(st.integers(-9_999_999, 9_999_999), st.integers(0, 2))
def test_a_float_keeps_every_number_a_display_can_show(digits: int, decimals: int) -> None:
    shown = Decimal(digits).scaleb(-decimals)
    words = float_words(float(shown))
    assert weight(complete("id551", decimals=decimals), *words, 1 << 15) == shown


@given(st.integers(-(2**31), 2**31 - 1), st.sampled_from(["big", "little"]), st.sampled_from(["big", "little"]))
def test_words_and_numbers_are_each_others_inverse(number: int, word_order: Any, byte_order: Any) -> None:
    words = words_of(number, 2, word_order, byte_order)
    assert int.from_bytes(bytes_of(words, word_order, byte_order), "big", signed=True) == number


def test_a_map_with_the_wrong_word_order_is_not_caught_by_looking_at_zero() -> None:
    """Why `commission` exists: 0 is 0 in either order, and a 16-bit weight beside a 0 looks right for years."""
    right, wrong = complete("generic_transmitter"), complete("generic_transmitter", word_order="big")
    assert weight(right, 0, 0) == weight(wrong, 0, 0) == 0
    sixteen_bits = make({"type": "uint16"}).for_site()
    assert weight(right, 14560, 0) == weight(sixteen_bits, 14560) == 14560
    assert weight(right, 70000 & 0xFFFF, 1) == 70000
    assert weight(sixteen_bits, 70000 & 0xFFFF) == 4464, "a truck of 70 t is read as one of 4 t"


def test_registers_that_contradict_each_other_are_moving_and_an_unlisted_code_is_an_error() -> None:
    bits = [{"bit": 0, "set": ["stable"]}, {"bit": 1, "set": ["moving"]}]
    codes = [{"mask": 0x30, "values": {"0": []}}]
    found = make({"type": "int16"}, status=[{"address": 1, "bits": bits, "codes": codes}]).for_site()
    assert [read(found, 5, status).stable for status in (0, 1, 2, 3)] == [None, True, False, False]
    assert weight(found, 5, 0x00) == 5
    assert weight(found, 5, 0x10) is None


def test_net_is_not_taken_for_gross_where_the_display_is_read() -> None:
    net = [{"address": 1, "bits": [{"bit": 3, "set": ["net"], "clear": ["gross"]}]}]
    display = make({"type": "int16", "of": "display"}, status=net).for_site()
    reading = to_reading(read(display, 5, 8), 0)
    assert (reading.gross_kg, reading.fault) == (None, WeightFault.NOT_GROSS)
    assert to_reading(read(display, 5, 0), 0).gross_kg == 5
    assert to_reading(read(make({"type": "int16"}, status=net).for_site(), 5, 8), 0).gross_kg == 5


def test_a_site_may_say_what_one_count_is_worth() -> None:
    assert weight(complete("generic_transmitter", decimals=None, division=Decimal(20)), 728, 0) == 14560
    assert str(weight(complete("generic_transmitter", decimals=None, division=Decimal("0.01")), 760, 0)) == "7.60"
    tonnes = complete("generic_transmitter", decimals=2, unit="t")
    assert to_reading(read(tonnes, 1456, 0), 0, "t").gross_kg == 14560


def test_the_wrong_number_of_registers_is_no_reading() -> None:
    for words in ((), (1,), (1, 2, 3)):
        with pytest.raises(ValueError, match="registers instead of 2"):
            read(complete("generic_transmitter"), *words)


def make(weight_part: dict[str, Any] | None = None, **rest: Any) -> RegisterMap:
    part = {"address": 0, "type": "int32", "of": "gross"} | (weight_part or {})
    text = {"name": "x", "title": "x", "manual": "x", "certain": "x", "uncertain": "x", "decimals": 0}
    return RegisterMap.model_validate(text | {"weight": part} | rest)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"status": [{"address": 200}]}, "more than one request"),
        ({"division": "0.5"}, "exclude each other"),
        ({"decimals": None, "division": "0.5", "weight_part": {"type": "float32"}}, "no division"),
        ({"decimals": None, "division": "0"}, "is not 0.000001 to 1000"),
        ({"status": [{"address": 2, "bits": [{"bit": 0, "set": ["minus"]}]}]}, "goes with uint16 or uint32"),
        ({"command": [{"command": "zero", "steps": []}]}, "at least 1 item"),
        (
            {"command": [{"command": "zero", "steps": [{"kind": "write", "address": 1, "value": 70_000}]}]},
            "does not fit into one register",
        ),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_a_map_that_makes_no_sense_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make(**wrong)


def test_what_the_site_must_still_say() -> None:
    with pytest.raises(ValueError, match='set word_order to "big" or "little"; `weighgate scale commission`'):
        load_register_map("kpr").for_site(decimals=0)
    with pytest.raises(ValueError, match="set decimals"):
        load_register_map("kpr").for_site(word_order="big")
    with pytest.raises(ValueError, match="exclude each other"):
        load_register_map("kpr").for_site(word_order="big", decimals=0, division=Decimal(5))


def test_files_with_faults_say_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown registers 'nothing'; valid: .*hbm_wtx"):
        load_register_map("nothing")
    with pytest.raises(ValueError, match="none, .* is empty"):
        load_register_map("nothing", tmp_path)
    text = (registers_folder() / "kpr.toml").read_text("utf-8")
    (tmp_path / "other.toml").write_text(text, "utf-8")
    with pytest.raises(ValueError, match="name is 'kpr', the file says 'other'"):
        load_register_map("other", tmp_path)
    (tmp_path / "broken.toml").write_text("name = ", "utf-8")
    with pytest.raises(ValueError, match="broken.toml"):
        load_register_map("broken", tmp_path)
