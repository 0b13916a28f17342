"""Verdicts on the weighings of a commissioning. Pure: weighings in, one line a question out.

Nothing that was not shown is passed. Source of the errors allowed: OIML R 76-1:2006, 3.5.1, table 6 (class III, initial
verification). This is no verification by the authority; it shows that the numbers on the line are the scale's own.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from drivers.scale.commission import HIDES_NET, Said, Verdict, observed, word_order_evidence
from drivers.scale.commission_steps import Motion, Step, Weighed
from drivers.scale.registers import RegisterMap

FRESH_MS = 900
"""The lane takes no weight older than this."""
LEAST_HZ = 2.0
MPE_CLASS_III = ((500, 1), (2_000, 2), (10_000, 3))
"""Up to so many e: the error allowed, in halves of e."""


class Mark(StrEnum):
    """The answer to one question."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_SHOWN = "not_shown"


@dataclass(frozen=True, slots=True)
class Site:
    """The scale's own numbers, from its plate; `registers` where it is on Modbus."""

    division_kg: int
    maximum_kg: int
    truck_kg: int = 1_000
    registers: RegisterMap | None = None
    says_net: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of the report."""

    question: Said
    mark: Mark
    found: Said


def overall(answers: Sequence[Answer]) -> Mark:
    """The whole: failed if anything failed, not shown if anything was not shown."""
    marks = {answer.mark for answer in answers}
    if not marks or Mark.FAILED in marks:
        return Mark.FAILED if marks else Mark.NOT_SHOWN
    return Mark.NOT_SHOWN if Mark.NOT_SHOWN in marks else Mark.PASSED


def error_allowed_halves(load_kg: int, division_kg: int) -> int | None:
    """The maximum permissible error for a load, in halves of e; None beyond class III."""
    return next((halves for upto, halves in MPE_CLASS_III if load_kg <= upto * division_kg), None)


def judge(site: Site, weighings: Sequence[Weighed], motion: Motion) -> list[Answer]:
    """All answers, in the order of the report."""
    taken = {weighed.step: weighed for weighed in weighings}
    answers = [
        _zero(site, taken.get(Step.EMPTY)),
        _span(site, taken.get(Step.KNOWN)),
        _truck(site, taken.get(Step.TRUCK)),
        _noise(site, weighings),
        _rate(weighings),
        _frames(weighings),
        _flag(motion),
    ]
    if site.registers is not None:
        answers.append(_word_order(site, site.registers, weighings))
    return answers


def _zero(site: Site, empty: Weighed | None) -> Answer:
    question = Said("空秤为零", "the empty deck reads zero")
    if empty is None:
        return Answer(question, Mark.NOT_SHOWN, _NOT_WEIGHED)
    if empty.kg is None or not empty.still:
        return Answer(question, Mark.FAILED, _no_rest(empty))
    ok = 2 * abs(empty.kg) <= site.division_kg
    more = Said("", "") if ok else Said("；清扫秤台后置零再测", "; clean the deck, set it to zero, and do it again")
    return Answer(question, Mark.PASSED if ok else Mark.FAILED, _both(_kg(empty.kg), more))


def _span(site: Site, known: Weighed | None) -> Answer:
    question = Said("已知重量的误差", "the error at a known weight")
    if known is None or not known.known_kg:
        return Answer(question, Mark.NOT_SHOWN, _NOT_WEIGHED)
    if known.kg is None or not known.still:
        return Answer(question, Mark.FAILED, _no_rest(known))
    load_kg, e = known.known_kg, site.division_kg
    halves = error_allowed_halves(load_kg, e)
    if halves is None:
        return Answer(question, Mark.NOT_SHOWN, Said("超出 III 级 10000 e", "beyond the 10000 e of class III"))
    error_kg = known.kg - load_kg
    ok = 2 * abs(error_kg) <= halves * e
    allowed = f"±{_in_e(halves, 2)} e"
    said = Said(
        f"{load_kg} kg 读 {known.kg} kg，误差 {error_kg:+d} kg = {_in_e(error_kg, e)} e，允许 {allowed}",
        f"{load_kg} kg reads {known.kg} kg, error {error_kg:+d} kg = {_in_e(error_kg, e)} e, allowed {allowed}",
    )
    return Answer(question, Mark.PASSED if ok else Mark.FAILED, said if ok else _both(said, _guess(known.kg, load_kg)))


def _guess(read_kg: int, load_kg: int) -> Said:
    """What a wrong reading looks like."""
    for power in (10, 100, 1000):
        for factor, zh, en in ((power, f"大 {power} 倍", "much"), (-power, f"小 {power} 倍", "little")):
            want = load_kg * power if factor > 0 else load_kg // power
            if want and abs(read_kg - want) * 50 <= want:
                return Said(
                    f"；读数{zh}：小数位或单位设错", f"; {power} times too {en}: decimals or unit are set wrong"
                )
    if read_kg and abs(read_kg + load_kg) * 50 <= load_kg:
        return Said("；符号相反：传感器接线", "; the sign is wrong: the cells are wired the wrong way round")
    return Said("；需要标定，或皮重未清、字序错误", "; calibrate it, or a tare is set, or the word order is wrong")


def _truck(site: Site, truck: Weighed | None) -> Answer:
    question = Said("重车", "a loaded truck")
    if truck is None:
        return Answer(question, Mark.NOT_SHOWN, _NOT_WEIGHED)
    if truck.kg is None or not truck.still:
        return Answer(question, Mark.FAILED, _no_rest(truck))
    if not site.truck_kg <= truck.kg <= site.maximum_kg:
        within = f"{site.truck_kg} … {site.maximum_kg} kg"
        return Answer(
            question, Mark.FAILED, _both(_kg(truck.kg), Said(f"，不在 {within} 之间", f", not within {within}"))
        )
    if truck.known_kg is None:
        more = Said("，未对仪表显示", ", not compared with the display")
        return Answer(question, Mark.PASSED, _both(_kg(truck.kg), more))
    ok = 2 * abs(truck.kg - truck.known_kg) <= site.division_kg
    more = Said(f"，仪表显示 {truck.known_kg} kg", f", the indicator's display shows {truck.known_kg} kg")
    return Answer(question, Mark.PASSED if ok else Mark.FAILED, _both(_kg(truck.kg), more))


def _noise(site: Site, weighings: Sequence[Weighed]) -> Answer:
    question = Said("静止时不跳", "steady while it stands")
    if not weighings:
        return Answer(question, Mark.NOT_SHOWN, _NOT_WEIGHED)
    worst = max(weighings, key=lambda each: each.spread_kg)
    said = Said(
        f"最大跳动 {worst.spread_kg} kg，分度 {site.division_kg} kg",
        f"at most {worst.spread_kg} kg up and down, division {site.division_kg} kg",
    )
    ok = all(each.still for each in weighings)
    return Answer(question, Mark.PASSED if ok else Mark.FAILED, said)


def _rate(weighings: Sequence[Weighed]) -> Answer:
    question = Said("读数够快", "readings come fast enough")
    if not weighings:
        return Answer(question, Mark.NOT_SHOWN, _NOT_WEIGHED)
    slowest, gap_ms = min(each.per_second for each in weighings), max(each.longest_gap_ms for each in weighings)
    said = Said(
        f"每秒 {slowest:g} 个，最长间隔 {gap_ms} ms（超过 {FRESH_MS} ms 即无重量）",
        f"{slowest:g} a second, longest gap {gap_ms} ms (beyond {FRESH_MS} ms there is no weight)",
    )
    ok = slowest >= LEAST_HZ and gap_ms < FRESH_MS
    return Answer(question, Mark.PASSED if ok else Mark.FAILED, said)


def _frames(weighings: Sequence[Weighed]) -> Answer:
    question = Said("每帧都有重量", "every reading carries a weight")
    if not weighings:
        return Answer(question, Mark.NOT_SHOWN, _NOT_WEIGHED)
    count, faults = sum(each.readings for each in weighings), sum(sum(each.faults.values()) for each in weighings)
    kinds = ", ".join(sorted({fault for each in weighings for fault in each.faults}))
    said = Said(f"{count} 个读数，{faults} 个无重量", f"{count} readings, {faults} without a weight")
    more = Said(f"：{kinds}", f": {kinds}") if kinds else Said("", "")
    return Answer(question, Mark.PASSED if count and not faults else Mark.FAILED, _both(said, more))


def _flag(motion: Motion) -> Answer:
    question = Said("稳定标志", "the stable flag")
    if not motion.flagged:
        said = Said("协议中没有，由程序自己判断", "the protocol has none; this program judges by the weight itself")
        return Answer(question, Mark.PASSED, said)
    if not motion.changing:
        said = Said(
            "没有看到重量变化", "the weight was not seen to change: press Enter only when the load is on its way"
        )
        return Answer(question, Mark.NOT_SHOWN, said)
    said = Said(
        f"变化中的 {motion.changing} 帧有 {motion.said_stable} 帧说稳定",
        f"of {motion.changing} frames with a changing weight {motion.said_stable} said stable",
    )
    return Answer(question, Mark.PASSED if 2 * motion.said_stable <= motion.changing else Mark.FAILED, said)


def _word_order(site: Site, found: RegisterMap, weighings: Sequence[Weighed]) -> Answer:
    question = Said("寄存器字序与计数", "word order and count of the registers")
    observations = [
        observed(None if each.step is Step.EMPTY else each.known_kg, each.last)
        for each in weighings
        if each.last is not None and (each.step is Step.EMPTY or each.known_kg is not None)
    ]
    try:
        verdict = word_order_evidence(found, observations, site.division_kg)
    except ValueError as error:
        return Answer(question, Mark.FAILED, Said(str(error), str(error)))
    said = Said(verdict.words.zh, verdict.words.en)
    if not verdict.candidates:
        return Answer(question, Mark.FAILED if observations else Mark.NOT_SHOWN, said)
    if wrong := _differs(found, verdict):
        return Answer(question, Mark.FAILED, _both(said, wrong))
    return Answer(question, Mark.PASSED if verdict.proven else Mark.NOT_SHOWN, said)


def _differs(found: RegisterMap, verdict: Verdict) -> Said | None:
    """The site's configuration says something else than every explanation that fits."""
    step = found.division
    if step is None and isinstance(found.decimals, int):
        step = Decimal(1).scaleb(-found.decimals)
    for fit in verdict.candidates:
        if found.weight.words > 1 and found.word_order not in (None, fit.word_order):
            continue
        if found.byte_order != fit.byte_order:
            continue
        if step in (None, fit.step):
            return None
    settings = verdict.candidates[0].settings
    text = ", ".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    return Said(f"；与配置不符，应改为：{text}", f"; the configuration says otherwise, set: {text}")


def not_proven(site: Site, weighings: Sequence[Weighed]) -> Iterator[Said]:
    """What these weighings say nothing about, however they ended."""
    taken = {weighed.step: weighed for weighed in weighings}
    known = taken.get(Step.KNOWN)
    if known and known.known_kg and known.known_kg < site.maximum_kg:
        percent = known.known_kg * 100 // site.maximum_kg
        yield Said(
            f"已知重量是最大秤量的 {percent} %，更重时的误差不知道",
            f"the known weight was {percent} % of Max: nothing is known of the error above it",
        )
    truck = taken.get(Step.TRUCK)
    if truck is None or truck.known_kg is None:
        yield Said("重车读数没有与仪表显示核对", "the loaded truck was not compared with the indicator's own display")
    if not site.says_net:
        yield HIDES_NET
    yield Said(
        f"读数按 {site.division_kg} kg 取整：比半个分度更小的误差看不见",
        f"readings are rounded to {site.division_kg} kg: an error below half a division is not seen",
    )
    yield Said(
        "偏载、重复性、回零、灵敏度、温度：由法定检定证明",
        "corner loads, repeatability, return to zero, discrimination, temperature: the legal verification shows them",
    )


_NOT_WEIGHED = Said("没有称", "was not weighed")


def _no_rest(weighed: Weighed) -> Said:
    if weighed.kg is None:
        return Said("没有重量读数", "no reading carried a weight")
    return Said(
        f"不稳定：{weighed.lowest_kg} 至 {weighed.highest_kg} kg",
        f"it did not stand still: {weighed.lowest_kg} to {weighed.highest_kg} kg",
    )


def _kg(kg: int) -> Said:
    return Said(f"{kg} kg", f"{kg} kg")


def _both(one: Said, other: Said) -> Said:
    return Said(one.zh + other.zh, one.en + other.en)


def _in_e(numerator: int, division: int) -> str:
    """A quotient with one decimal, without floats."""
    tenths = (abs(numerator) * 20 // division + 1) // 2
    return f"{'-' if numerator < 0 and tenths else ''}{tenths // 10}.{tenths % 10}"
