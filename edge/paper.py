"""What stands on the paper: the outbound ticket 出库单 in five copies, the empty truck's slip. Pure.

Times are printed in the zone of `printed_at`. A field that a sale does not use is struck with —, so that nobody can
fill it in afterwards.
"""

from datetime import datetime

from drivers.printer.document import Align, Cut, Document, Element, Feed, Qr, Row, Rule, Text
from edge.domain.ticket import COPIES, EmptySlip, OutboundTicket, SaleMode, SealKind, SealMark
from sync.units import format_fen, format_kg

STRUCK = "—"
MODE_WORDS = {
    SaleMode.PREPAID: "预付款 自提",
    SaleMode.CREDIT: "赊销",
    SaleMode.CONSIGNED: "预付款 代办托运",
}
SEAL_WORDS = {SealKind.ENTERPRISE: "企管部", SealKind.FINANCE: "财务部"}
_EXIT_PASS = COPIES[-1]
_TITLE_COLUMNS = 16
_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_GROUPS = ("", "万", "亿", "万亿")


def ticket_document(
    ticket: OutboundTicket,
    *,
    pass_code: str,
    plant_name: str,
    copy_number: int,
    ledger_mark: str,
    seals: tuple[SealMark, ...],
    clock_ok: bool,
    software: str,
    printed_at: datetime,
) -> Document:
    """The five copies of one ticket, each cut off.

    `copy_number` 0 is the original, n ≥ 1 prints 补打 n. `ledger_mark` is the ticket's ledger hash, of which 8
    characters are printed. Only the exit pass carries `pass_code`; it shows neither price nor amount.
    """
    pages: list[Element] = []
    for position, copy_name in enumerate(COPIES, start=1):
        exit_pass = copy_name == _EXIT_PASS
        pages += _head(plant_name, "出 门 证" if exit_pass else "出 库 单", copy_number, clock_ok)
        pages += (Text(f"第{_ordinal(position)}联 {copy_name}", Align.CENTER, 2, bold=True), Rule("="))
        pages += _what(ticket)
        pages += _weights(ticket, printed_at)
        if not exit_pass:
            pages += _money(ticket)
        pages += _people(ticket, printed_at, seals)
        if exit_pass:
            pages += _pass(pass_code, ticket.plate, f"{format_kg(ticket.net_kg)} kg  {ticket.ticket}")
        else:
            pages += (Feed(1), Row("提货人签字", "________________________"))
        pages += _foot(ledger_mark, software, printed_at, clock_ok)
    return tuple(pages)


def empty_exit_document(
    slip: EmptySlip,
    *,
    pass_code: str,
    plant_name: str,
    copy_number: int,
    ledger_mark: str,
    clock_ok: bool,
    software: str,
    printed_at: datetime,
) -> Document:
    """The exit pass of a truck that leaves without goods, with both empty weights; the rest as `ticket_document`."""
    return (
        *_head(plant_name, "空车出门证", copy_number, clock_ok),
        Rule("="),
        Row("发货通知单", slip.visit),
        Row("车牌", slip.plate, bold=True),
        Row("进厂皮重", f"{format_kg(slip.tare_kg)} kg"),
        Row(f"出厂重量 {_moment(slip.at, printed_at)}", f"{format_kg(slip.exit_kg)} kg"),
        Row("差", f"{format_kg(slip.exit_kg - slip.tare_kg)} kg"),
        Row("磅秤 / 司磅员", f"{slip.lane} / {slip.operator}"),
        *_pass(pass_code, slip.plate, f"空车  {slip.visit}"),
        *_foot(ledger_mark, software, printed_at, clock_ok),
    )


def capitals(amount_fen: int) -> str:
    """Chinese capitals of an amount, 1 fen up to below 10¹⁶ yuan, as 《票据和结算凭证填写规范》 writes them.

    整 follows 元 and 角, never 分; one 零 stands for any run of inner zeros, and before 分 when 角 is zero.

    >>> capitals(5668000)
    '伍万陆仟陆佰捌拾元整'
    >>> capitals(140950)
    '壹仟肆佰零玖元伍角整'
    >>> capitals(32504)
    '叁佰贰拾伍元零肆分'
    """
    if not 0 <= amount_fen < 10**18:
        raise ValueError(f"amount_fen {amount_fen} is not between 0 and 10^18")
    yuan, fen = divmod(amount_fen, 100)
    words = f"{_yuan_words(yuan)}元" if yuan or not fen else ""
    tenth, hundredth = divmod(fen, 10)
    if tenth:
        words += f"{_DIGITS[tenth]}角"
    elif hundredth and yuan:
        words += "零"
    return words + (f"{_DIGITS[hundredth]}分" if hundredth else "整")


def _yuan_words(yuan: int) -> str:
    """Whole yuan by groups of four digits; a group below 1000 after a higher one is led by 零."""
    if not yuan:
        return "零"
    words = ""
    zero_before = False
    for power in range(len(_GROUPS) - 1, -1, -1):
        group = yuan // 10 ** (4 * power) % 10**4
        if not group:
            zero_before = bool(words)
            continue
        if words and (zero_before or group < 1000):
            words += "零"
        unit = _GROUPS[power]
        if unit == "万亿" and yuan // 10**8 % 10**4:
            unit = "万"  # 亿 is said once, after the lower group
        words += _group_words(group) + unit
        zero_before = False
    return words


def _group_words(group: int) -> str:
    """1 to 9999: inner zeros become one 零, trailing zeros vanish."""
    words = ""
    for digit, unit in zip(f"{group:04}", ("仟", "佰", "拾", ""), strict=True):
        if digit != "0":
            words += _DIGITS[int(digit)] + unit
        elif words and not words.endswith("零"):
            words += "零"
    return words.rstrip("零")


def _head(plant_name: str, title: str, copy_number: int, clock_ok: bool) -> list[Element]:
    # a long plant name is printed small rather than over two big lines
    head: list[Element] = [Text(plant_name, Align.CENTER, 2 if len(plant_name) * 2 <= _TITLE_COLUMNS else 1, bold=True)]
    head.append(Text(title, Align.CENTER, 2, bold=True))
    if copy_number:
        head.append(Text(f"★ 补打 {copy_number} ★", Align.CENTER, 2, bold=True))
    if not clock_ok:
        head.append(Text("※ 时间未校准 ※", Align.CENTER, bold=True))
    return head


def _what(ticket: OutboundTicket) -> list[Element]:
    return [
        Row("单号", ticket.ticket, bold=True),
        Row("发货通知单", ticket.notice),
        Row("客户", ticket.customer_name),
        Row("产品", ticket.product),
        Row("车牌", ticket.plate, bold=True),
        Row("销售方式", MODE_WORDS[ticket.mode]),
        Rule(),
    ]


def _weights(ticket: OutboundTicket, printed_at: datetime) -> list[Element]:
    return [
        Row(f"皮重 {_moment(ticket.tare_at, printed_at)}", f"{format_kg(ticket.tare_kg)} kg"),
        Row(f"毛重 {_moment(ticket.gross_at, printed_at)}", f"{format_kg(ticket.gross_kg)} kg"),
        Text(f"净重 {format_kg(ticket.net_kg)} kg", Align.RIGHT, 2, bold=True),
        Rule(),
    ]


def _money(ticket: OutboundTicket) -> list[Element]:
    consigned = ticket.mode is SaleMode.CONSIGNED
    credit = ticket.mode is SaleMode.CREDIT
    return [
        Row("单价", f"{format_fen(ticket.price_fen_per_t)} 元/吨"),
        Row("金额", f"￥{format_fen(ticket.amount_fen)}", bold=True),
        Row("人民币大写", capitals(ticket.amount_fen), bold=True),
        Row("承运人", (ticket.carrier or STRUCK) if consigned else STRUCK),
        Row("代垫运费", f"￥{format_fen(ticket.freight_fen)}" if consigned and ticket.freight_fen else STRUCK),
        Row("付款期限", (ticket.credit_due or STRUCK) if credit else STRUCK),
        Row("赊销责任人", (ticket.responsible or STRUCK) if credit else STRUCK),
        Rule(),
    ]


def _people(ticket: OutboundTicket, printed_at: datetime, seals: tuple[SealMark, ...]) -> list[Element]:
    by_kind = {seal.kind: seal for seal in seals}
    people: list[Element] = [
        Row("业务日期", ticket.business_date),
        Row("提货人", ticket.pickup_person or STRUCK),
        Row("磅秤 / 司磅员", f"{ticket.lane} / {ticket.operator}"),
    ]
    for kind, words in SEAL_WORDS.items():
        seal = by_kind.get(kind)
        if seal is None:
            people.append(Row(f"{words}章", "未盖章"))
        else:
            people.append(Row(f"〖{words} 电子章〗", f"{seal.person} {_moment(seal.at, printed_at)}", bold=True))
    return people


def _pass(pass_code: str, plate: str, load: str) -> list[Element]:
    return [
        Qr(pass_code, module_dots=8),
        Text(plate, Align.CENTER, 2, bold=True),
        Text(load, Align.CENTER, bold=True),
        Text("一次有效 出门扫码", Align.CENTER),
    ]


def _foot(ledger_mark: str, software: str, printed_at: datetime, clock_ok: bool) -> list[Element]:
    printed = f"{printed_at:%Y-%m-%d %H:%M:%S}" + ("" if clock_ok else " (未校准)")
    return [
        Rule(),
        Row("记录校验码", ledger_mark[:8] or STRUCK),
        Row("打印时间", printed),
        Row("软件", software),
        Cut(),
    ]


def _moment(at: datetime, printed_at: datetime) -> str:
    return f"{at.astimezone(printed_at.tzinfo):%m-%d %H:%M:%S}"


def _ordinal(position: int) -> str:
    return "一二三四五"[position - 1]
