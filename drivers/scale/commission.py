"""What a few weighings at commissioning prove about a Modbus device: its word order and byte order, and what one count
is worth.

A weight below 65536 counts has one word of zeros. Such a device may as well be sending 16 bits beside a register that
happens to be 0, and both explanations agree until the first truck is too heavy for 16 bits and is read as a light one.
So the word order is proven only by a weight that takes both words: above 65535 counts, or negative.

Pure: registers and known weights in, a verdict with its evidence in words out. `weighgate scale commission` asks for
the weighings and writes the report.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from drivers.readings import WeightReading
from drivers.scale.frames import KG_POWER
from drivers.scale.register_words import RegisterBlock
from drivers.scale.registers import DecimalsCode, Order, RegisterMap, UnitCode

ONE_WORD = 65_536
KG_PER_UNIT = {unit: Decimal(1).scaleb(power) for unit, power in KG_POWER.items()}
ORDERS: tuple[Order, Order] = ("big", "little")
STEPS_IN_UNIT = tuple(Decimal(lead).scaleb(power) for power in range(-6, 4) for lead in (1, 2, 5))
_ORDER_ZH = {"big": "高字在前", "little": "低字在前"}
_BYTES = {"big": ("", ""), "little": ("、字内低字节在前", ", low byte first in each word")}


@dataclass(frozen=True, slots=True)
class Observation:
    """One weighing: what stood on the deck (None: empty; else the known mass, or what the device's own display showed)
    and the registers of the map's block as they came, `count` of them from `first` on."""

    known_kg: int | None
    registers: tuple[int, ...]

    @property
    def expected_kg(self) -> int:
        return self.known_kg or 0


def observed(known_kg: int | None, reading: WeightReading) -> Observation:
    """One weighing from a reading of `ModbusIndicator`, whatever orders it was read with: the registers are in `raw`,
    behind device id, function and length."""
    data = reading.raw[3:]
    return Observation(known_kg, tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)))


@dataclass(frozen=True, slots=True)
class Said:
    zh: str
    en: str


HIDES_NET = Said(
    "这台仪表的数据里看不出是不是净重：锁住它的去皮键，否则净重会被当成毛重",
    "this indicator does not say net: lock its tare key, or a net weight is booked as gross",
)
"""For a scale that cannot say that it is tared (`says_net`)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to read the registers that agrees with every weighing.

    `step` is what one count is worth in `unit`; `uses_both_words` is whether some weighing needed more than 16 bits.
    """

    word_order: Order
    byte_order: Order
    step: Decimal
    unit: str
    read_kg: tuple[Decimal, ...]
    """What each observation would be, in their order."""
    uses_both_words: bool
    evidence: Said

    @property
    def settings(self) -> dict[str, str | int]:
        """For the site's configuration: word_order, byte_order where it is not Modbus's own, and decimals or
        division."""
        orders: dict[str, str | int] = {"word_order": self.word_order}
        if self.byte_order != "big":
            orders["byte_order"] = self.byte_order
        _, digits, exponent = self.step.as_tuple()
        if digits == (1,) and isinstance(exponent, int) and -6 <= exponent <= 0:
            return orders | {"decimals": -exponent}
        return orders | {"division": format(self.step, "f")}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`proven`: one word order is left and it was seen at work. `candidates` are all that agree, best first."""

    proven: bool
    candidates: tuple[Candidate, ...]
    words: Said


def word_order_evidence(found: RegisterMap, observations: Sequence[Observation], division_kg: int) -> Verdict:
    """Which word order, byte order and count agree with the weighings, within one division.

    Give at least the empty deck, a known weight and a loaded truck. `found` need not be complete; what it says of the
    orders is not believed here. Raises ValueError when an observation has the wrong number of registers.
    """
    for each in observations:
        if len(each.registers) != found.count:
            raise ValueError(f"{len(each.registers)} registers instead of {found.count}")
    fitting = [
        fit
        for byte_order in ORDERS
        for order in ORDERS
        for fit in _fits(
            found.model_copy(update={"word_order": order, "byte_order": byte_order}), observations, division_kg
        )
    ]
    fitting.sort(key=lambda fit: (not fit.uses_both_words, _miss(fit, observations)))
    if not fitting:
        return Verdict(False, (), _NOTHING_FITS)
    loads = {each.expected_kg for each in observations if abs(each.expected_kg) > division_kg}
    if not loads:
        return Verdict(False, tuple(fitting), _NOTHING_ON_DECK)
    orders = {(fit.word_order if found.weight.words > 1 else "big", fit.byte_order) for fit in fitting}
    steps = {fit.step for fit in fitting}
    if len(orders) == 1 and (found.weight.words == 1 or fitting[0].uses_both_words):
        if len(steps) == 1 and len(loads) > 1:
            return Verdict(True, tuple(fitting), _proven(fitting[0]))
        return Verdict(False, tuple(fitting), _ONE_LOAD)
    return Verdict(False, tuple(fitting), _not_proven(found, fitting[0]))


def _fits(variant: RegisterMap, observations: Sequence[Observation], division_kg: int) -> Iterator[Candidate]:
    counts = [_count(variant, each) for each in observations]
    for step, unit in _steps(variant, observations):
        read_kg = [None if count is None else count * step * KG_PER_UNIT[unit] for count in counts]
        if all(
            kg is not None and abs(kg - each.expected_kg) <= division_kg
            for kg, each in zip(read_kg, observations, strict=True)
        ):
            yield _candidate(variant, step, unit, observations, [kg for kg in read_kg if kg is not None])


def _candidate(
    variant: RegisterMap, step: Decimal, unit: str, observations: Sequence[Observation], read_kg: list[Decimal]
) -> Candidate:
    order = variant.word_order or "big"
    pairs = [
        (each.known_kg, format(kg.normalize(), "f"), _hex(variant, each))
        for each, kg in zip(observations, read_kg, strict=True)
    ]
    zh = "，".join(f"{'空秤' if known is None else f'{known} kg'} 读 {kg} kg（{words}）" for known, kg, words in pairs)
    en = ", ".join(
        f"{'empty' if known is None else f'{known} kg'} reads {kg} kg ({words})" for known, kg, words in pairs
    )
    return Candidate(
        word_order=order,
        byte_order=variant.byte_order,
        step=step,
        unit=unit,
        read_kg=tuple(read_kg),
        uses_both_words=any(_uses_both_words(variant, each) for each in observations),
        evidence=Said(
            f"{_ORDER_ZH[order]}{_BYTES[variant.byte_order][0]}，一个计数 {step:f} {unit}：{zh}",
            f"{order}{_BYTES[variant.byte_order][1]}, one count is {step:f} {unit}: {en}",
        ),
    )


def _count(variant: RegisterMap, observation: Observation) -> Decimal | None:
    """The weight register's number with its sign."""
    block = RegisterBlock(variant, observation.registers)
    number = block.number(variant.weight)
    return -number if number is not None and "minus" in block.said() else number


def _uses_both_words(variant: RegisterMap, observation: Observation) -> bool:
    if variant.weight.words == 1:
        return False
    if variant.weight.type == "float32":
        return all(_weight_words(variant, observation))
    number = RegisterBlock(variant, observation.registers).number(variant.weight)
    return number is not None and (number < 0 or number >= ONE_WORD)


def _weight_words(variant: RegisterMap, observation: Observation) -> tuple[int, ...]:
    at = variant.weight.address - variant.first
    return observation.registers[at : at + variant.weight.words]


def _hex(variant: RegisterMap, observation: Observation) -> str:
    return " ".join(f"{word:04X}" for word in _weight_words(variant, observation))


def _steps(variant: RegisterMap, observations: Sequence[Observation]) -> Iterator[tuple[Decimal, str]]:
    """What one count may be worth: what the device itself says, or else anything people build."""
    blocks = [RegisterBlock(variant, each.registers) for each in observations]
    units = {variant.unit} if isinstance(variant.unit, str) else _units_told(variant.unit, blocks)
    for unit in sorted(units & KG_PER_UNIT.keys()):
        if isinstance(variant.decimals, DecimalsCode):
            told = {variant.decimals.decimals(block.code(variant.decimals)) for block in blocks}
            yield from ((Decimal(1).scaleb(-count), unit) for count in told if count is not None and len(told) == 1)
        elif variant.weight.type == "float32":
            yield Decimal(1), unit
        else:
            yield from ((step, unit) for step in STEPS_IN_UNIT)


def _units_told(unit: UnitCode, blocks: Sequence[RegisterBlock]) -> set[str]:
    return {str(unit.values.get(block.code(unit), "unknown")) for block in blocks}


def _miss(candidate: Candidate, observations: Sequence[Observation]) -> Decimal:
    pairs = zip(candidate.read_kg, observations, strict=True)
    return max((abs(kg - each.expected_kg) for kg, each in pairs), default=Decimal(0))


_NOTHING_FITS = Said(
    "没有一种字序和分度与这些称量相符：检查寄存器表、地址、净重/毛重，以及读数时是否稳定",
    "no word order and no count agrees with these weighings: check the register map, its addresses, net against gross, "
    "and that the weight was stable",
)
_NOTHING_ON_DECK = Said("未证明：秤上还没有放过重物", "not proven: nothing has stood on the deck yet")
_ONE_LOAD = Said(
    "未证明：再称一个不同的重量，使一个计数的大小只剩一种可能",
    "not proven: weigh one more, different weight, so that only one size of a count is left",
)


def _proven(fit: Candidate) -> Said:
    return Said(f"已证明：{fit.evidence.zh}", f"proven: {fit.evidence.en}")


def _not_proven(found: RegisterMap, fit: Candidate) -> Said:
    if found.weight.type == "float32":
        return Said(
            f"未证明：称一个两个字都不为零的重量（例如不是整数的重车）。目前：{fit.evidence.zh}",
            f"not proven: weigh something whose two words are both not 0, such as a truck. So far: {fit.evidence.en}",
        )
    needed_kg = int(ONE_WORD * fit.step * KG_PER_UNIT[fit.unit])
    return Said(
        f"未证明：称一次 {needed_kg} kg 以上（65536 个计数），或放上重物清零后取下，使其为负。目前：{fit.evidence.zh}",
        f"not proven: weigh {needed_kg} kg or more (65536 counts) once, or zero it with something on and take that "
        f"off, so that it is negative. So far: {fit.evidence.en}",
    )
