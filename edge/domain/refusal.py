"""Every "no" a person can meet, as a value with its numbers, and the only place with its words.

A Refusal is expected and never raised. Words exist in Chinese and English for each reason; a test checks that.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from sync.units import format_fen, format_kg


class Words(NamedTuple):
    """One text in both languages of the plant."""

    zh: str
    en: str


class Reason(StrEnum):
    """Why something was not done."""

    NOT_NOW = "not_now"
    PLATE_MISSING = "plate_missing"
    NO_NOTICE = "no_notice"
    NOTICE_EXPIRED = "notice_expired"
    NOTICE_CANCELLED = "notice_cancelled"
    VISIT_OPEN = "visit_open"
    VISIT_UNKNOWN = "visit_unknown"
    LANE_BUSY = "lane_busy"
    LANE_CHANGED = "lane_changed"
    OTHER_LANE = "other_lane"
    NO_VISIT = "no_visit"
    QUEUE_EMPTY = "queue_empty"
    SCALE_LOST = "scale_lost"
    SCALE_EMPTY = "scale_empty"
    SCALE_MOVING = "scale_moving"
    SCALE_OVERLOAD = "scale_overload"
    SCALE_NEGATIVE = "scale_negative"
    NOT_ZEROED = "not_zeroed"
    SCALE_UNVERIFIED = "scale_unverified"
    ZERO_NOT_OFFERED = "zero_not_offered"
    ZERO_OCCUPIED = "zero_occupied"
    ZERO_RANGE = "zero_range"
    ZERO_CHANGED = "zero_changed"
    ZERO_REFUSED = "zero_refused"
    ZERO_UNKNOWN = "zero_unknown"
    PLATE_DIFFERS = "plate_differs"
    PLATE_UNSURE = "plate_unsure"
    PLATE_NOT_READ = "plate_not_read"
    NO_PLATE_QUESTION = "no_plate_question"
    OVERLOAD = "overload"
    BELOW_MINIMUM = "below_minimum"
    OVER_NOTICE = "over_notice"
    OVER_BALANCE = "over_balance"
    OVER_CREDIT = "over_credit"
    CREDIT_OVERDUE = "credit_overdue"
    NO_STOCK = "no_stock"
    NOT_EMPTY = "not_empty"
    PASS_UNREADABLE = "pass_unreadable"
    PASS_FORGED = "pass_forged"
    PASS_OTHER_PLANT = "pass_other_plant"
    PASS_UNKNOWN = "pass_unknown"
    PASS_USED = "pass_used"
    PASS_VOIDED = "pass_voided"
    PASS_EXPIRED = "pass_expired"
    PASS_UNSEALED = "pass_unsealed"
    NOTHING_TO_OVERRIDE = "nothing_to_override"
    NOT_OVERRIDABLE = "not_overridable"
    NAME_AND_REASON = "name_and_reason"
    REASON_MISSING = "reason_missing"
    ALARM_UNKNOWN = "alarm_unknown"
    BARRIER_FAILED = "barrier_failed"
    TICKET_UNKNOWN = "ticket_unknown"
    TICKET_LEFT = "ticket_left"
    TICKET_VOIDED = "ticket_voided"
    TICKET_SEALED = "ticket_sealed"
    PRINT_PENDING = "print_pending"
    SAME_PERSON = "same_person"
    NOT_ALLOWED = "not_allowed"
    STORE_FULL = "store_full"
    FENCED = "fenced"
    EPOCH_CLOSED = "epoch_closed"
    TOPUP_NO_OFFICE = "topup_no_office"
    TOPUP_NOT_A_CODE = "topup_not_a_code"
    TOPUP_TYPO = "topup_typo"
    TOPUP_TRUNCATED = "topup_truncated"
    TOPUP_OTHER_VERSION = "topup_other_version"
    TOPUP_FORGED = "topup_forged"
    TOPUP_OTHER_PLANT = "topup_other_plant"
    TOPUP_OTHER_EPOCH = "topup_other_epoch"
    TOPUP_OTHER_TERM = "topup_other_term"
    TOPUP_USED = "topup_used"


_WORDS: dict[Reason, Words] = {
    Reason.NOT_NOW: Words("现在不能{event}:车辆状态为“{state}”", "Cannot {event_en} now: the visit is “{state_en}”"),
    Reason.PLATE_MISSING: Words("请输入车牌", "Type the truck's plate"),
    Reason.NO_NOTICE: Words("{plate} 没有有效的发货通知单,不得装车", "No open dispatch notice for {plate}: no loading"),
    Reason.NOTICE_EXPIRED: Words(
        "通知单 {notice} 已于 {expired_at} 过期,请开票员重开", "Notice {notice} expired at {expired_at}; ask the biller"
    ),
    Reason.NOTICE_CANCELLED: Words("通知单 {notice} 已被总部取消", "Notice {notice} was cancelled by head office"),
    Reason.VISIT_OPEN: Words("{plate} 已在厂内({state})", "{plate} is already in the plant ({state_en})"),
    Reason.VISIT_UNKNOWN: Words("没有这个车次 {visit}", "There is no visit {visit}"),
    Reason.LANE_BUSY: Words(
        "磅上已有 {plate},请先完成或移出", "{plate} is on this lane; finish it or move it away first"
    ),
    Reason.LANE_CHANGED: Words(
        "磅上已不是 {visit} 的车,请看清再按", "{visit} is no longer on this lane; look, then press again"
    ),
    Reason.OTHER_LANE: Words(
        "{plate} 已叫到 {lane} 号磅,要换磅请先在那里移车",
        "{plate} is on lane {lane}; to change lanes drive off there first",
    ),
    Reason.NO_VISIT: Words("还没有叫车上磅", "No truck has been called to this lane"),
    Reason.QUEUE_EMPTY: Words("没有车在排队", "No truck is waiting"),
    Reason.SCALE_LOST: Words("没有秤数据:{what}", "No weight: {what_en}"),
    Reason.SCALE_EMPTY: Words("秤上没有车(低于 {minimum_kg} kg)", "No truck on the scale (below {minimum_kg} kg)"),
    Reason.SCALE_MOVING: Words("重量未稳定,请等待", "The weight is not stable yet"),
    Reason.SCALE_OVERLOAD: Words(
        "超过秤的最大称量 {maximum_kg} kg,必须卸货", "Above the scale's maximum of {maximum_kg} kg: unload"
    ),
    Reason.SCALE_NEGATIVE: Words("秤显示负值,请清零后再称", "The scale shows a negative weight: zero it first"),
    Reason.NOT_ZEROED: Words(
        "上一车之后秤没有回零,请让车下磅、回零后再上磅",
        "The scale has not been at zero since the last truck: drive off, let it return to zero",
    ),
    Reason.SCALE_UNVERIFIED: Words(
        "秤的检定已于 {verified_until} 到期,不得用于结算", "The scale's verification ended on {verified_until}"
    ),
    Reason.ZERO_NOT_OFFERED: Words(
        "此仪表不接受置零命令,请在仪表上按置零键", "This indicator takes no zero command: use its own key"
    ),
    Reason.ZERO_OCCUPIED: Words(
        "秤上有 {gross_kg} kg,像是有车,不得置零", "{gross_kg} kg on the scale looks like a vehicle: not zeroed"
    ),
    Reason.ZERO_RANGE: Words(
        "秤上 {gross_kg} kg,超出置零范围 {range_kg} kg,请清扫秤台或报修",
        "{gross_kg} kg is more than {range_kg} kg from zero, the zero-setting range: clean the deck or call service",
    ),
    Reason.ZERO_CHANGED: Words(
        "重量已不是确认时的数值,请看清再按", "The weight is no longer the one you confirmed; look, then press again"
    ),
    Reason.ZERO_REFUSED: Words("仪表没有置零:{what}", "The indicator did not zero: {what_en}"),
    Reason.ZERO_UNKNOWN: Words(
        "仪表没有回答置零,可能已置零,请看仪表", "No answer to zero; it may have been done: look at the indicator"
    ),
    Reason.PLATE_DIFFERS: Words("车牌不符:摄像 {seen},单据 {plate}", "Plate differs: camera {seen}, document {plate}"),
    Reason.PLATE_UNSURE: Words(
        "车牌看不准:摄像读作 {seen}({sure}%),单据 {plate},请当面核对",
        "Not sure of the plate: the camera reads {seen} ({sure}%), the document says {plate}; compare them",
    ),
    Reason.NO_PLATE_QUESTION: Words(
        "这个问题已过去,请看清现在的画面", "This question is over; look at what is shown now"
    ),
    Reason.PLATE_NOT_READ: Words("没有看到车牌,请核对 {plate}", "No plate was read; compare it with {plate}"),
    Reason.OVERLOAD: Words(
        "超限超载 {over_kg} kg:限 {limit_kg} kg({limited_by}),只能卸货",
        "Overloaded by {over_kg} kg: limit {limit_kg} kg ({limited_by_en}); only unloading helps",
    ),
    Reason.BELOW_MINIMUM: Words(
        "净重 {net_kg} kg 低于最小量 {minimum_kg} kg", "Net {net_kg} kg is below the minimum of {minimum_kg} kg"
    ),
    Reason.OVER_NOTICE: Words(
        "超装车限量 {over_kg} kg:限 {limit_kg} kg。请改通知单或卸货",
        "Over the notice's limit by {over_kg} kg: limit {limit_kg} kg. Amend the notice or unload",
    ),
    Reason.OVER_BALANCE: Words(
        "超预付款 ￥{over_fen}({over_kg} kg),未放行",
        "Over the paid balance by ¥{over_fen} ({over_kg} kg): not released",
    ),
    Reason.OVER_CREDIT: Words(
        "超赊销额度 ￥{over_fen}({over_kg} kg),未放行",
        "Over the approved credit by ¥{over_fen} ({over_kg} kg): not released",
    ),
    Reason.CREDIT_OVERDUE: Words(
        "赊销已于 {due} 到期,责任人 {responsible}", "The credit fell due on {due}; responsible: {responsible}"
    ),
    Reason.NO_STOCK: Words(
        "库存不足:{product} 余 {stock_kg} kg,缺 {over_kg} kg", "Not enough stock of {product}: {stock_kg} kg left"
    ),
    Reason.NOT_EMPTY: Words(
        "不是空车:比皮重多 {over_kg} kg", "Not empty: {over_kg} kg above the tare (allowed: {allowed_kg} kg)"
    ),
    Reason.PASS_UNREADABLE: Words("扫到的不是出门证,请重扫", "This is not an exit pass; scan again"),
    Reason.PASS_FORGED: Words("出门证签名无效:伪造或损坏", "The pass's signature is wrong: forged or damaged"),
    Reason.PASS_OTHER_PLANT: Words("这不是本厂本期的出门证", "This pass belongs to another plant or epoch"),
    Reason.PASS_UNKNOWN: Words("账上没有这张出门证,不得放行", "The ledger does not know this pass: not released"),
    Reason.PASS_USED: Words("出门证已于 {used_at} 使用", "This pass was used at {used_at}"),
    Reason.PASS_VOIDED: Words("出库单 {ticket} 已作废", "Ticket {ticket} is void"),
    Reason.PASS_EXPIRED: Words("出门证已过期({expired_at})", "The pass expired at {expired_at}"),
    Reason.PASS_UNSEALED: Words("出库单 {ticket} 尚未盖{seal}章", "Ticket {ticket} still lacks the {seal_en} seal"),
    Reason.NOTHING_TO_OVERRIDE: Words("没有可人工放行的扫描", "There is no scan to override"),
    Reason.NOT_OVERRIDABLE: Words("这种情况不得人工放行:{why}", "This cannot be overridden: {why_en}"),
    Reason.NAME_AND_REASON: Words("人工放行须写明姓名与理由", "Give your name and the reason"),
    Reason.REASON_MISSING: Words("请写明理由", "Give the reason"),
    Reason.ALARM_UNKNOWN: Words("这条报警已确认,或不在本磅", "No such alarm stands on this lane: seen already?"),
    Reason.BARRIER_FAILED: Words("道闸没有动作:{what}", "The barrier did not act: {what_en}"),
    Reason.TICKET_UNKNOWN: Words("没有出库单 {ticket}", "There is no ticket {ticket}"),
    Reason.TICKET_LEFT: Words("{ticket} 已出门,只能由总部红冲", "{ticket} has left; only head office can credit it"),
    Reason.TICKET_VOIDED: Words("出库单 {ticket} 已作废", "Ticket {ticket} is void"),
    Reason.TICKET_SEALED: Words("{ticket} 已盖{seal}章", "{ticket} already has the {seal_en} seal"),
    Reason.PRINT_PENDING: Words("{ticket} 正在打印,请稍候", "{ticket} is being printed; wait"),
    Reason.SAME_PERSON: Words("作废须两人,第二人不能是同一人", "Voiding takes two different persons"),
    Reason.NOT_ALLOWED: Words("您的岗位不能做此操作", "Your role may not do this"),
    Reason.STORE_FULL: Words(
        "磁盘已满,没有出单,没有记账;请立即通知管理员",
        "Disk full: nothing was booked or printed. Call the administrator",
    ),
    Reason.FENCED: Words(
        "账本是旧副本,不得出单、作废、收款;出门与补打照常",
        "These books are an old copy: no tickets, voids or money; gate and reprints work",
    ),
    Reason.EPOCH_CLOSED: Words(
        "本账期已关闭,不再出单、作废、收款;出门与补打照常",
        "This epoch is closed: no tickets, voids or money; gate and reprints work",
    ),
    Reason.TOPUP_NO_OFFICE: Words(
        "本机没有总部公钥(office.pub),不能收充值码",
        "This plant has no key of head office (office.pub): no top-up codes",
    ),
    Reason.TOPUP_NOT_A_CODE: Words("这不是充值码,请重扫", "This is not a top-up code; scan again"),
    Reason.TOPUP_TYPO: Words("第 {line} 行有错字,请对照原码", "Line {line} is mistyped; compare it with the original"),
    Reason.TOPUP_TRUNCATED: Words(
        "充值码不完整:第 {line} 行之后还有", "The top-up code is cut short: more follows in line {line} or after it"
    ),
    Reason.TOPUP_OTHER_VERSION: Words(
        "充值码是另一版本程序做的,本机读不了", "This top-up code was made by another version of the program"
    ),
    Reason.TOPUP_FORGED: Words(
        "充值码不是总部签发的:伪造或损坏", "Head office did not sign this top-up code: forged or damaged"
    ),
    Reason.TOPUP_OTHER_PLANT: Words(
        "这是 {code_plant} 厂的充值码,本厂是 {plant}", "This top-up code is for plant {code_plant}; this is {plant}"
    ),
    Reason.TOPUP_OTHER_EPOCH: Words(
        "这是 {code_epoch} 账期的充值码,本机是 {epoch}。请总部重新签发",
        "This top-up code is for epoch {code_epoch}; this box is {epoch}. Head office must sign a new one",
    ),
    Reason.TOPUP_OTHER_TERM: Words(
        "充值码是总部第 {code_term} 任期签发的,本厂跟随的是第 {term} 任期。请总部重新签发",
        "Signed in term {code_term} of head office; this plant follows term {term}. Head office must sign a new one",
    ),
    Reason.TOPUP_USED: Words(
        "充值码已用过:账户 {account} 在本厂累计已收 ￥{granted_fen},码上累计 ￥{code_fen}",
        "Already used: account {account} has had ¥{granted_fen} here in all, the code says ¥{code_fen} in all",
    ),
}


_FIELD = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A "no" with its reason and its numbers (int `_kg`, `_fen`; the rest text)."""

    reason: Reason
    numbers: dict[str, int | str] = field(default_factory=dict)

    @property
    def words(self) -> Words:
        """The sentence for the screen, in both languages."""
        shown = {name: _shown(name, value) for name, value in self.numbers.items()}
        template = _WORDS[self.reason]
        return Words(template.zh.format_map(shown), template.en.format_map(shown))

    def number(self, name: str) -> int:
        """One of the integer numbers, 0 where the reason has none."""
        value = self.numbers.get(name, 0)
        return value if isinstance(value, int) else 0


def refuse(reason: Reason, **numbers: int | str) -> Refusal:
    """Shorthand: `refuse(Reason.OVERLOAD, over_kg=240, ...)`."""
    return Refusal(reason, numbers)


def reason_title(reason: Reason) -> Words:
    """A reason's sentence without its numbers, for lists of the past: `{…}` becomes …"""
    words = _WORDS[reason]
    return Words(_FIELD.sub("…", words.zh), _FIELD.sub("…", words.en))


def _shown(name: str, value: int | str) -> str:
    if isinstance(value, str):
        return value
    if name.endswith("_fen"):
        return format_fen(value)
    return format_kg(value) if name.endswith("_kg") else str(value)
