"""What the indicators answer, byte for byte, to the requests that their manuals print."""

import pytest

from drivers.scale.encoders.answers import ANSWERS, Answers, YaohuaClone
from drivers.scale.simulated import SimulatedLoad


def at(load: SimulatedLoad, name: str, address: int | None = None) -> Answers:
    return ANSWERS[name](load, address)


CONVERSATIONS: list[tuple[str, int | None, list[tuple[bytes, bytes]]]] = [
    (
        "yaohua_command", None,
        [(b"\x02AA00\x03", b"\x02AA00\x03"), (b"\x02AB03\x03", b"\x02AB+008880010\x03"),
         (b"\x02AC02\x03", b"\x02AC+000000019\x03"), (b"\x02AD05\x03", b"\x02AD+008880016\x03"),
         (b"\x02BB00\x03", b""), (b"\x02AB04\x03", b"")],
    ),
    ("yaohua_command", 2, [(b"\x02BB00\x03", b"\x02BB+008880013\x03"), (b"\x02AB03\x03", b"")]),
    (
        "mt_sics", None,
        [(b"S\r\n", b"S S       8880 kg\r\n"), (b"SI\r\n", b"S S       8880 kg\r\n"),
         (b"T\r\n", b"T S       8880 kg\r\n"), (b"SI\r\n", b"S S          0 kg\r\n"),
         (b"TA\r\n", b"TA A       8880 kg\r\n"), (b"TAC\r\n", b"TAC A\r\n"), (b"SI\r\n", b"S S       8880 kg\r\n"),
         (b"Z\r\n", b"Z +\r\n"), (b"@\r\n", b'I4 A "0123456789"\r\n'), (b"HELLO\r\n", b"ES\r\n")],
    ),
    (
        "sma", None,
        [(b"\nW\r", b"\n 1G        8880kg \r"), (b"\nT\r", b"\nZ1N           0kg \r"),
         (b"\nM\r", b"\n 1T        8880kg \r"), (b"\nC\r", b"\n 1G        8880kg \r"),
         (b"\nZ\r", b"\nE1G  ----------kg \r"), (b"\nX\r", b"\n?\r"), (b"W\r", b"")],
    ),
    (
        "rinstrum_net", None,
        [(b"20050026:;", b"81050026:   8880 kg G\r\n"), (b"21050026:;", b"81050026:   8880 kg G\r\n"),
         (b"22050026:;", b""), (b"01050026:;", b""), (b"20050099:;", b"C1050099:\r\n"),
         (b"20100300:;", b"C1100300:\r\n")],
    ),
    ("rinstrum_net", 7, [(b"27050026:;", b"87050026:   8880 kg G\r\n"), (b"21050026:;", b"")]),
    (
        "dini_std", None,
        [(b"READ\r\n", b"ST,GS,    8880,kg\r\n"), (b"T\r\n", b"OK\r\n"), (b"R\r\n", b"ST,NT,       0,kg\r\n"),
         (b"C\r\n", b"OK\r\n"), (b"REXT\r\n", b"1,ST,      8880,           0,         0,kg\r\n"),
         (b"Z\r\n", b"ERR03\r\n"), (b"NOSUCH\r\n", b"ERR04\r\n")],
    ),
    (
        "dini_std", 1,
        [(b"01READ\r\n", b"01ST,GS,    8880,kg\r\n"), (b"02READ\r\n", b""), (b"READ\r\n", b""),
         (b"01T\r\n", b"01OK\r\n")],
    ),
    (
        "systec", None,
        [(b"<RM>", b"<000005.06.1813:12    1    8880       0    8880kg     1   36908>\r\n"),
         (b"<RN>", b"<000005.06.1813:12   11    8880       0    8880kg     1   60714>\r\n"),
         (b"<TA>", b"<00>\r\n"), (b"<TC>", b"<00>\r\n"), (b"<SZ>", b"<11>\r\n"), (b"<XX>", b"<32>\r\n")],
    ),
    (
        "ad_std", None,
        [(b"RW\r\n", b"ST,GS,+0008880kg\r\n"), (b"MT\r\n", b"MT\r\n"), (b"RW\r\n", b"ST,NT,+0000000kg\r\n"),
         (b"CT\r\n", b"CT\r\n"), (b"MZ\r\n", b"I\r\n"), (b"??\r\n", b"?\r\n")],
    ),
    ("rlws", None, [(b"KTARE\r", b"OK\r\n"), (b"KCLRTAR\r", b"OK\r\n"), (b"KZERO\r", b"??\r\n"), (b"KX\r", b"??\r\n")]),
    ("cas22", None, [(b"D01KT\r\n", b"D01KT\r\n"), (b"D02KT\r\n", b"")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "address", "exchanges"), CONVERSATIONS)
def test_a_conversation(name: str, address: int | None, exchanges: list[tuple[bytes, bytes]]) -> None:
    answers = at(SimulatedLoad(8_880), name, address)
    for request, answer in exchanges:
        assert answers.take(request) == answer, request


@pytest.mark.parametrize(("name", "address", "exchanges"), CONVERSATIONS)
def test_a_request_is_understood_however_it_is_cut_and_behind_junk(
    name: str, address: int | None, exchanges: list[tuple[bytes, bytes]]
) -> None:
    request, answer = exchanges[0]
    whole = at(SimulatedLoad(8_880), name, address)
    assert b"".join(whole.take(bytes([byte])) for byte in request) == answer
    assert whole.take(b"x" * 500) == b"", "no end of a request"


def test_the_clones_checksum_leaves_out_the_address() -> None:
    assert YaohuaClone(SimulatedLoad(8_880)).take(b"\x02AB03\x03") == b"\x02AB+008880013\x03"


def test_while_it_moves_a_stable_weight_is_waited_for_and_orders_are_refused() -> None:
    load = SimulatedLoad(0)
    load.set_moving(True)
    for name, ask, refusals in (
        ("mt_sics", b"S\r\n", {b"Z\r\n": b"Z I\r\n", b"T\r\n": b"T I\r\n"}),
        ("sma", b"\nP\r", {b"\nZ\r": b"\nE1GM ----------kg \r", b"\nT\r": b"\nT1GM ----------kg \r"}),
        ("systec", b"", {b"<RN>": b"<13>\r\n", b"<SZ>": b"<13>\r\n", b"<TA>": b"<13>\r\n"}),
        ("dini_ext", b"", {b"ZERO\r\n": b"ERR03\r\n", b"TARE\r\n": b"ERR03\r\n"}),
        ("ad_std", b"", {b"MZ\r\n": b"I\r\n", b"MT\r\n": b"I\r\n"}),
    ):
        answers = at(load, name)
        for request, answer in refusals.items():
            assert answers.take(request) == answer, name
        assert answers.take(ask) == b"" == answers.later()
        load.set_moving(None)
        assert bool(answers.later()) == bool(ask), name
        assert answers.later() == b"", "once"
        load.set_moving(True)


def test_out_of_range_is_an_answer_without_a_number() -> None:
    load = SimulatedLoad(99_000)
    for told, words in ((load.set_overload, (b"S +", b"<12>", b"\nO", b"O------")),
                        (load.set_underload, (b"S -", b"<20>", b"\nU", b"U------"))):  # fmt: skip
        told(True)
        asked = (("mt_sics", b"S\r\n"), ("systec", b"<RN>"), ("sma", b"\nW\r"), ("rinstrum_net", b"20050026:;"))
        for (name, request), word in zip(asked, words, strict=True):
            answer = at(load, name).take(request)
            assert word in answer and b"99000" not in answer
        told(False)


def test_toledo_takes_single_characters_and_says_nothing() -> None:
    load = SimulatedLoad(60)
    answers = at(load, "toledo")
    assert answers.take(b"Z") == b"" and load.shown().weight_kg == 0
    load.set_weight_kg(9_060)
    answers.take(b"PT")
    assert load.shown().tare_kg == 9_000
    answers.take(b"\xc3")  # C with the parity bit of a 7E1 line
    assert not load.shown().net


def test_a_repeated_request_makes_it_stream_until_the_next() -> None:
    for name, again, ask in (("mt_sics", b"SIR\r\n", b"SI\r\n"), ("sma", b"\nR\r", b"\nW\r")):
        answers = at(SimulatedLoad(20), name)
        streams = []
        for request in (again, ask):
            answers.take(request)
            streams.append(answers.streaming)
        assert streams == [True, False]


def test_the_weighing_memory_numbers_rise_with_each_stable_weighing() -> None:
    answers = at(SimulatedLoad(8_880), "systec")
    idents = [answers.take(b"<RN>")[18:22] for _ in range(3)]
    assert idents == [b"   1", b"   2", b"   3"]
    assert answers.take(b"<RM>")[18:22] == b"    ", "the weight of the moment is not kept"
