"""What a plant may look like: made-up lanes, gates and tickets for page tests."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from PIL import Image, ImageDraw

from drivers.printer.render import chinese_font
from edge.domain.plate_check import Place
from edge.domain.refusal import Reason, Words, refuse
from edge.domain.visit import VisitState
from edge.station.views import (
    ActionView,
    AlarmView,
    ArrivalView,
    GateView,
    HoldView,
    LaneView,
    LimitView,
    LinkView,
    LookView,
    MoneyView,
    NearView,
    PassageView,
    PlateQuestionView,
    PlateSaidView,
    QueueEntry,
    ScaleAlarmView,
    ScaleView,
    TicketView,
    VerdictView,
    VisitView,
    Why,
)

NO_WORDS = Words("", "")
ACTIONS = (
    "call",
    "tare",
    "start_loading",
    "load_complete",
    "unload",
    "recheck",
    "cancel",
    "empty_exit",
    "zero",
    "park",
    "topup",
)


def now() -> str:
    """This moment as views carry it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


LINKED = LinkView(connected=True, since="2026-11-23 08:00:00", waiting_records=0, oldest_minutes=0)
SCALE = ScaleView("stable", 42_860, 20, 100_000, "2027-03-31", 10, True, NO_WORDS)
EMPTY = replace(SCALE, state="empty", gross_kg=0)
MONEY_WORDS = Words("预付款余额", "prepaid balance")


def visit(state: VisitState, **changes: Any) -> VisitView:
    """A truck on the lane."""
    plain = VisitView(
        visit="V7", state=state.value, state_words=state.words, plate="浙A5K326", customer_name="示例客户甲",
        product="冶金焦 25–60", notice="HX01-2611-0432", mode="prepaid", price_fen_per_t=200_000, axles=6,
        tare_kg=14_520, ticket=None, carrier="", print_state="",
    )  # fmt: skip
    return replace(plain, **changes)


def actions(*enabled: str, why: Words | None = None) -> tuple[ActionView, ...]:
    """Every button, only the named ones enabled."""
    no = why or refuse(
        Reason.NOT_NOW, event="做此操作", event_en="do this", state="装车中", state_en="loading"
    ).words  # fmt: skip
    return tuple(ActionView(name, name in enabled, NO_WORDS if name in enabled else no) for name in ACTIONS)


def queue(count: int = 4) -> tuple[QueueEntry, ...]:
    """Trucks that wait."""
    plates = ["沪D19F07", "苏E6H369", "皖K66120", "浙BD12345", "鲁H7T880", "苏A0P551"]
    entries = []
    for index, plate in enumerate(plates[:count]):
        state = VisitState.QUEUED if index != 2 else VisitState.HELD
        entries.append(
            QueueEntry(f"V{20 + index}", 12 + index, plate, f"示例客户{'乙丙丁戊己庚'[index]}", "冶金焦 25–60",
                       state.value, state.words, "", 12 - 2 * index, Words("", ""))
        )  # fmt: skip
    return tuple(entries)


def loading_view(**changes: Any) -> LaneView:
    """A truck being loaded, 4 060 kg to go."""
    plain = LaneView(
        lane="1", name=Words("一号磅", "Lane 1"), scale=SCALE, visit=visit(VisitState.LOADING),
        limit=LimitView(46_920, 4_060, "money", MONEY_WORDS, "under"),
        money=MoneyView(6_480_000, 6_480_000, 5_668_000, 812_000, 28_340), hold=None,
        actions=actions("load_complete", "park"), queue=queue(), link=LINKED,
        curve_kg=(0, 0, 14_520, 14_540, 14_500, 18_000, 21_000, 26_500, 31_000, 36_400, 39_000, 42_860),
        alarms=(), last=None, done=None,
    )  # fmt: skip
    return replace(plain, **changes)


def idle_view(**changes: Any) -> LaneView:
    """Nobody on the scale."""
    plain = loading_view(
        scale=EMPTY, visit=None, limit=None, money=None, curve_kg=(0, 0, 0),
        actions=actions("call", why=refuse(Reason.NO_VISIT).words),
    )  # fmt: skip
    return replace(plain, **changes)


def hold_view(reason: str = "money") -> LaneView:
    """A truck held: over the balance, or overloaded."""
    money = reason == "money"
    why = refuse(Reason.OVERLOAD, over_kg=1_280, limit_kg=46_920, limited_by="六轴", limited_by_en="6 axles")
    if money:
        why = refuse(Reason.OVER_BALANCE, over_fen=256_000, over_kg=1_280)
    ways = ("topup", "unload") if money else ("unload",)
    hold = HoldView(
        Why.of(why),
        33_680,
        48_200,
        6_736_000,
        1_280,
        256_000 if money else 0,
        now(),
        ways,
        "HX01",
        "C0042/预付",
        256_000 if money else 0,
    )
    return loading_view(
        scale=replace(SCALE, gross_kg=48_200), visit=visit(VisitState.HELD), hold=hold, last=Why.of(why),
        limit=LimitView(46_920, -1_280, reason, MONEY_WORDS, "over"),
        money=MoneyView(6_480_000, 6_480_000, 6_736_000, -256_000, 33_680),
        actions=actions("recheck", "unload", "park", "topup") if money else actions("unload", "park"),
        link=replace(LINKED, connected=False, since="2026-11-20 10:00:00", waiting_records=1_284),
        curve_kg=(0, 14_520, 14_540, 22_000, 31_000, 39_000, 45_000, 48_200, 48_260, 48_200),
    )  # fmt: skip


def ticket(**changes: Any) -> TicketView:
    """A sealed ticket."""
    plain = TicketView(
        ticket="HX01-03-0001234", visit="V7", plate="浙A5K326", customer_name="示例客户甲", product="冶金焦 25–60",
        net_kg=28_340, amount_fen=5_668_000, gross_at="2026-11-23 14:33:02", state="sealed",
        state_words=VisitState.SEALED.words, enterprise_seal="E05", finance_seal="rule", copies=0, print_state="sent",
        used_at="", lane="1", mode="prepaid",
    )  # fmt: skip
    return replace(plain, **changes)


def slip(**changes: Any) -> TicketView:
    """An empty truck's pass."""
    plain = ticket(
        ticket="HX01-2611-0433", customer_name="", product="", net_kg=0, amount_fen=0, state="empty_exit",
        state_words=VisitState.EMPTY_EXIT.words, enterprise_seal="", finance_seal="", mode="empty",
    )  # fmt: skip
    return replace(plain, **changes)


def verdict(kind: str, **changes: Any) -> VerdictView:
    """The answer to a scan made just now."""
    why = {
        "open": None,
        "ask_guard": refuse(Reason.PLATE_DIFFERS, seen="浙A5K328", plate="浙A5K326"),
        "refuse": refuse(Reason.PASS_USED, used_at="14:02:11"),
    }[kind]
    seen = "浙A5K328" if kind == "ask_guard" else "浙A5K326"
    plain = VerdictView(
        kind, Why.of(why) if why else None, ticket(), "浙A5K326", seen, 990, kind == "ask_guard", now(),
        "p1", "", "opened" if kind == "open" else "",
    )  # fmt: skip
    return replace(plain, **changes)


USED = refuse(Reason.PASS_USED, used_at="14:02").words
GATE = GateView(
    "south", Words("南门", "South gate"), Words("道闸正常", "barrier ready"), True, False, LINKED, None,
    (
        PassageView("14:29", "沪D19F07", 31_220, "open", Words("放行", "released")),
        PassageView("14:17", "苏E6H369", None, "refuse", USED),
        PassageView("14:02", "苏E6H369", 29_860, "open", Words("放行", "released")),
    ), 86, (),
)  # fmt: skip
ALARM = AlarmView("2026-11-23 14:12:00", "打印机", Words("缺纸,请装纸", "Out of paper: load paper"))
SCALE_ALARM = ScaleAlarmView(
    41, "2026-11-23 14:31:07", "step",
    Words("车未动,重量 0.4 秒内减少 2 060 kg", "The truck did not move and became 2 060 kg lighter within 0.4 s"),
    "V7", "浙A5K326", (14_520,) * 25 + (14_480, 13_100, 12_460) + (12_460,) * 22, 600, "", "", "",
)  # fmt: skip


def watched_view(count: int = 1) -> LaneView:
    """The scale watch found something about the truck on the lane."""
    return loading_view(scale_alarms=(SCALE_ALARM,), scale_alarm_count=count)


CROP = "c4" * 32
LOOK = LookView(
    "ask", "浙A5K328", "yellow", 910, (NearView("浙A5K326", 3_120), NearView("沪D19F07", 48_900)), "p1", CROP
)


@lru_cache
def crop_picture() -> bytes:
    """A plate cut out of a camera's picture: small, and not sharp."""
    image = Image.new("RGB", (132, 42), (228, 172, 30))
    ImageDraw.Draw(image).text((7, 6), "浙A·5K326", font=chinese_font(21), fill=(40, 34, 26))
    return _jpeg(image)


@lru_cache
def photo() -> bytes:
    """A truck before the camera, more or less."""
    image = Image.new("RGB", (960, 540), (126, 152, 170))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 300, 960, 540), fill=(120, 118, 112))
    draw.rectangle((300, 110, 660, 470), fill=(170, 44, 38))
    draw.rectangle((330, 150, 630, 270), fill=(44, 56, 66))
    image.paste(Image.open(io.BytesIO(crop_picture())), (414, 400))
    return _jpeg(image)


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def asking() -> VerdictView:
    """The gate's camera is not sure whether this is the truck."""
    why = refuse(Reason.PLATE_UNSURE, seen="浙A5K328", sure="91", plate="浙A5K326")
    return verdict("ask_guard", why=Why.of(why), look=LOOK, plate_asked=True, confidence_permille=910)


def asked_lane(place: Place = Place.LOAD, **changes: Any) -> LaneView:
    """The lane's camera is not sure."""
    why = refuse(Reason.PLATE_UNSURE, seen="浙A5K328", sure="91", plate="浙A5K326")
    question = PlateQuestionView("V7", place.words, "浙A5K326", why.words, LOOK)
    return loading_view(plate_question=question, last=Why.of(why), **changes)


ARRIVAL = ArrivalView(replace(LOOK, free="苏A0P55I"), ("苏A0P551", "鲁H7T880"), False)
PLATES_SAID = [
    PlateSaidView(
        "2026-11-23 13:58:20", Place.TARE.words, Words("摄像确认", "confirmed by the camera"), "agrees", "",
        replace(LOOK, answer="confirmed", free="浙A5K326", confidence_permille=982),
    ),
    PlateSaidView(
        "2026-11-23 14:33:02", Place.LOAD.words,
        Words("人工核对:是这辆车", "compared by a person: it is the truck"), "agrees", "王调度", LOOK,
    ),
]  # fmt: skip
