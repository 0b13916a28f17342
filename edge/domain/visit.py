"""One truck visit: its states, its events, and the transition table.

Everything that may move a visit stands in this file. The table is total: a pair it does not list is answered with
`Refusal(NOT_NOW)`, never with an exception. LOADED and DECIDED (N5, N6 of the policy) are moments, not resting places:
load complete weighs, decides and books in one commit, and ends in HELD or TICKETED.

Source: 产品销售管理制度 Art 12, 14, 15, 21; docs/rules.md.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from edge.domain.dispatch import DispatchNotice
from edge.domain.refusal import Reason, Refusal, Words, refuse


class VisitState(StrEnum):
    """Where a visit rests."""

    NOTICED = "noticed"
    QUEUED = "queued"
    ADMITTED = "admitted"
    TARED = "tared"
    LOADING = "loading"
    HELD = "held"
    TICKETED = "ticketed"
    SEALED = "sealed"
    RELEASED = "released"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    EMPTY_EXIT = "empty_exit"
    VOIDED = "voided"
    RETURNED = "returned"
    EXPIRED = "expired"

    @property
    def words(self) -> Words:
        """For the screen, in both languages."""
        return _STATE_WORDS[self]


class VisitEvent(StrEnum):
    """What can happen to a visit."""

    ARRIVE = "arrive"
    CALL = "call"
    WEIGH_TARE = "weigh_tare"
    START_LOADING = "start_loading"
    HOLD = "hold"
    CLEAR = "clear"
    UNLOAD = "unload"
    SEAL = "seal"
    RELEASE = "release"
    CLOSE = "close"
    CANCEL = "cancel"
    EXPIRE = "expire"
    LEAVE_EMPTY = "leave_empty"
    VOID = "void"
    RETURN_GOODS = "return_goods"

    @property
    def words(self) -> Words:
        """For the screen, in both languages."""
        return _EVENT_WORDS[self]


_S, _E = VisitState, VisitEvent

TRANSITIONS: dict[tuple[VisitState, VisitEvent], VisitState] = {
    (_S.NOTICED, _E.ARRIVE): _S.QUEUED,
    (_S.NOTICED, _E.CANCEL): _S.CANCELLED,
    (_S.NOTICED, _E.EXPIRE): _S.EXPIRED,
    (_S.QUEUED, _E.CALL): _S.ADMITTED,
    (_S.QUEUED, _E.CANCEL): _S.CANCELLED,
    (_S.QUEUED, _E.EXPIRE): _S.EXPIRED,
    (_S.ADMITTED, _E.CALL): _S.ADMITTED,
    (_S.ADMITTED, _E.WEIGH_TARE): _S.TARED,
    (_S.ADMITTED, _E.CANCEL): _S.CANCELLED,
    (_S.TARED, _E.CALL): _S.TARED,
    (_S.TARED, _E.START_LOADING): _S.LOADING,
    (_S.TARED, _E.LEAVE_EMPTY): _S.EMPTY_EXIT,
    (_S.LOADING, _E.CALL): _S.LOADING,
    (_S.LOADING, _E.HOLD): _S.HELD,
    (_S.LOADING, _E.CLEAR): _S.TICKETED,
    (_S.LOADING, _E.LEAVE_EMPTY): _S.EMPTY_EXIT,
    (_S.HELD, _E.CALL): _S.HELD,
    (_S.HELD, _E.HOLD): _S.HELD,
    (_S.HELD, _E.CLEAR): _S.TICKETED,
    (_S.HELD, _E.UNLOAD): _S.LOADING,
    (_S.HELD, _E.LEAVE_EMPTY): _S.EMPTY_EXIT,
    (_S.TICKETED, _E.SEAL): _S.SEALED,
    (_S.TICKETED, _E.VOID): _S.VOIDED,
    (_S.SEALED, _E.RELEASE): _S.RELEASED,
    (_S.SEALED, _E.VOID): _S.VOIDED,
    (_S.RELEASED, _E.CLOSE): _S.CLOSED,
    (_S.RELEASED, _E.RETURN_GOODS): _S.RETURNED,
    (_S.CLOSED, _E.RETURN_GOODS): _S.RETURNED,
}

IN_PLANT = frozenset(
    {_S.QUEUED, _S.ADMITTED, _S.TARED, _S.LOADING, _S.HELD, _S.TICKETED, _S.SEALED}
)  # fmt: skip
"""The truck stands inside the fence: one such visit per plate."""

HOLD_OPEN = frozenset({_S.NOTICED, _S.QUEUED, _S.ADMITTED, _S.TARED, _S.LOADING, _S.HELD})
"""The money reserved for the visit is still reserved; leaving these states resolves the hold, once."""

_STATE_WORDS = {
    _S.NOTICED: Words("已通知", "noticed"),
    _S.QUEUED: Words("排队", "queued"),
    _S.ADMITTED: Words("已叫号", "called"),
    _S.TARED: Words("已称皮", "tared"),
    _S.LOADING: Words("装车中", "loading"),
    _S.HELD: Words("扣留待处理", "held"),
    _S.TICKETED: Words("已出单待盖章", "ticketed"),
    _S.SEALED: Words("已出单", "sealed"),
    _S.RELEASED: Words("已出门", "released"),
    _S.CLOSED: Words("已结", "closed"),
    _S.CANCELLED: Words("已取消", "cancelled"),
    _S.EMPTY_EXIT: Words("空车出门", "left empty"),
    _S.VOIDED: Words("已作废", "voided"),
    _S.RETURNED: Words("已退货", "returned"),
    _S.EXPIRED: Words("已过期", "expired"),
}

_EVENT_WORDS = {
    _E.ARRIVE: Words("登记到达", "register arrival"),
    _E.CALL: Words("叫车上磅", "call to the lane"),
    _E.WEIGH_TARE: Words("称皮重", "weigh the tare"),
    _E.START_LOADING: Words("开始装车", "start loading"),
    _E.HOLD: Words("装车完成", "load complete"),
    _E.CLEAR: Words("装车完成", "load complete"),
    _E.UNLOAD: Words("卸货重磅", "unload and weigh again"),
    _E.SEAL: Words("盖章", "seal"),
    _E.RELEASE: Words("放行", "release"),
    _E.CLOSE: Words("结案", "close"),
    _E.CANCEL: Words("取消", "cancel"),
    _E.EXPIRE: Words("过期", "expire"),
    _E.LEAVE_EMPTY: Words("空车出门", "leave empty"),
    _E.VOID: Words("作废", "void"),
    _E.RETURN_GOODS: Words("退货", "return goods"),
}


def next_state(state: VisitState, event: VisitEvent) -> VisitState | Refusal:
    """Where the event leads, or NOT_NOW with both words."""
    following = TRANSITIONS.get((state, event))
    if following is not None:
        return following
    return refuse(
        Reason.NOT_NOW,
        event=event.words.zh,
        event_en=event.words.en,
        state=state.words.zh,
        state_en=state.words.en,
    )


@dataclass(frozen=True, slots=True)
class HeldLoad:
    """The load that was answered no: its weight and the answer."""

    gross_kg: int
    refusal: Refusal
    at: datetime


@dataclass(frozen=True, slots=True)
class Visit:
    """One truck from its notice to its exit. `hold_fen` is what is reserved for it, `wanted_fen` what should be."""

    notice: DispatchNotice
    state: VisitState
    hold_fen: int
    wanted_fen: int
    queue_number: int = 0
    arrived_at: datetime | None = None
    tare_kg: int | None = None
    tare_at: datetime | None = None
    held: HeldLoad | None = None
    ticket: str = ""

    @property
    def visit(self) -> str:
        """The visit's name: its notice's number."""
        return self.notice.notice

    @property
    def held_amount_fen(self) -> int:
        """What the load that is held for money costs; 0 when none is."""
        return self.held.refusal.number("amount_fen") if self.held else 0

    @property
    def plate(self) -> str:
        """The truck's plate."""
        return self.notice.plate
