"""A ledger row in one line for people: what it is, and the facts that tell it from another."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sync.units import format_fen, format_kg

_KINDS = {
    "notice_taken": ("接收通知单", "Notice taken"), "notice_refused": ("通知单未接收", "Notice refused"),
    "hold": ("占用变更", "Hold changed"), "visit": ("车辆状态", "Visit"), "weighment": ("称重", "Weighing"),
    "held": ("压车", "Held"), "ticket": ("出库单", "Ticket"), "empty_slip": ("空车单", "Empty slip"),
    "seal": ("铅封", "Seal"), "exit": ("出门", "Exit"), "gate_refused": ("门岗拒绝", "Gate refused"),
    "void": ("作废", "Void"), "print": ("打印", "Print"), "grant": ("收到额度", "Grant received"),
    "return": ("退回额度", "Money returned"), "term": ("总部任期", "Head office's term"),
    "closed": ("关账", "Epoch closed"), "stock": ("库存", "Stock"), "alarm": ("报警", "Alarm"),
    "scale_alarm": ("称重报警", "Scale alarm"), "scale_alarm_seen": ("称重报警已阅", "Scale alarm seen"),
    "scale_command": ("仪表命令", "Indicator command"), "scale_command_ended": ("仪表命令结果", "Its result"),
    "plate_questioned": ("车牌存疑", "Plate doubted"), "plate_decided": ("车牌核对", "Plate compared"),
}  # fmt: skip
_TEXTS = (
    "ticket", "notice", "plate", "claimed", "plate_seen", "seen", "account", "customer_name", "product", "source",
    "what",
)  # fmt: skip
_MASSES, _MONEY = ("gross_kg", "net_kg"), ("hold_fen", "amount_fen", "granted_fen", "returned_fen")
_ROLES = {"tare": ("皮重", "tare"), "gross": ("毛重", "gross"), "empty": ("空车", "empty")}
_LONGEST = 60


def row_words(kind: str, body: str, english: bool, local: Callable[[str], str]) -> str:
    """Its kind and what of it a person knows it by, its moment by `local`. Any body will do: a fork holds anything."""
    fields = _fields(body)
    named = [_KINDS.get(kind, (kind, kind))]
    if isinstance(role := fields.get("role"), str):
        named.append(_ROLES.get(role, (role, role)))
    parts = [each[english] for each in named]
    parts += [str(fields[name])[:_LONGEST] for name in _TEXTS if isinstance(fields.get(name), str) and fields[name]]
    parts += [f"{format_kg(fields[name])} kg" for name in _MASSES if type(fields.get(name)) is int]
    parts += [f"¥{format_fen(fields[name])}" for name in _MONEY if type(fields.get(name)) is int and fields[name]]
    return " · ".join([*parts, *_moment(fields.get("gross_at") or fields.get("at"), local)])


def _moment(at: Any, local: Callable[[str], str]) -> list[str]:
    try:
        return [local(datetime.fromisoformat(at).astimezone(UTC).isoformat())]
    except (TypeError, ValueError, OverflowError):
        return []


def _fields(body: str) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
