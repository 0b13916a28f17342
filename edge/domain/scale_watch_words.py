"""The sentences of the scale watch: one for each case of each kind, in both languages, with the numbers."""

from edge.domain.refusal import Words
from edge.domain.scale_watch_rules import Cause, WatchKind
from sync.units import format_kg

_K = WatchKind

SENTENCES: dict[tuple[WatchKind, str], Words] = {
    (_K.ZERO_DRIFT, "before"): Words(
        "零点异常:上车前空秤显示 {zero_kg} kg。请清扫秤台、查看秤下,再置零",
        "Zero is off: the empty deck read {zero_kg} kg before this truck. Clean the deck, look under it, then zero",
    ),
    (_K.ZERO_DRIFT, "after"): Words(
        "零点变化:上车前 {before_kg} kg,下车后 {after_kg} kg。请查看秤台上下",
        "Zero moved: {before_kg} kg before the truck, {after_kg} kg after it. Look on and under the deck",
    ),
    (_K.ZERO_DRIFT, "drift"): Words(
        "零点漂移:自上次置零以来共 {sum_kg} kg。请置零并查传感器与接线",
        "Zero drift: {sum_kg} kg in sum since the last zero. Zero the scale; check load cells and wiring",
    ),
    (_K.STEP, "fell"): Words(
        "重量突降:车未动,{took_ms} ms 内由 {before_kg} kg 变为 {after_kg} kg,少 {change_kg} kg。谨防遥控作弊",
        "The weight fell at once: {before_kg} kg to {after_kg} kg within {took_ms} ms, {change_kg} kg less. "
        "A remote-controlled cell, or somebody holds the deck up",
    ),
    (_K.STEP, "rose"): Words(
        "重量突升:车未动,{took_ms} ms 内由 {before_kg} kg 变为 {after_kg} kg,多 {change_kg} kg。谨防遥控作弊",
        "The weight rose at once: {before_kg} kg to {after_kg} kg within {took_ms} ms, {change_kg} kg more. "
        "A remote-controlled cell, or another vehicle's axle",
    ),
    (_K.STEP, "not_tare"): Words(
        "称皮后重量变了:皮重 {before_kg} kg,开始装车时 {after_kg} kg,差 {change_kg} kg。请停止装车,叫班长",
        "Tare {before_kg} kg, but {after_kg} kg as loading starts: {change_kg} kg off. "
        "Stop loading, call the supervisor",
    ),
    (_K.SLOPE, "falling"): Words(
        "停车时重量持续下降:共少 {fall_kg} kg({took_s} s)。请查是否放水、秤台下是否有人",
        "The standing truck grows lighter: {fall_kg} kg less ({took_s} s). "
        "Is water running out, is somebody under the deck?",
    ),
    (_K.SLOPE, "leap"): Words(
        "重量变化过快:0.2 s 内变化 {change_kg} kg,没有车轴能做到。请查传感器与接线",
        "Too fast: {change_kg} kg within 0.2 s, no axle can do that. Check load cells, wiring and indicator",
    ),
    (_K.PROPPED, "sinking"): Words(
        "车在秤台上时重量缓降 {slide_kg} kg({took_ms} ms)。请查秤台下有无顶物,谨防遥控作弊",
        "The weight sank by {slide_kg} kg within {took_ms} ms while no axle left. "
        "Look under the deck for a prop, and for a radio",
    ),
    (_K.PROPPED, "growing"): Words(
        "车在秤台上时重量缓升 {slide_kg} kg({took_ms} ms)。请查秤台下有无顶物,谨防遥控作弊",
        "The weight grew by {slide_kg} kg within {took_ms} ms while no axle came. "
        "Look under the deck for a prop, and for a radio",
    ),
    (_K.PROPPED, "leaving"): Words(
        "车下秤时重量上升 {slide_kg} kg({took_ms} ms)。请查秤台下有无顶物,谨防遥控作弊",
        "While the truck rolled off, the weight grew by {slide_kg} kg within {took_ms} ms. "
        "Look under the deck for a prop, and for a radio",
    ),
    (_K.TARE_HISTORY, "heavy"): Words(
        "皮重异常:{tare_kg} kg,此车最近 {tares} 次的中位数 {usual_kg} ± {band_kg} kg,偏重 {over_kg} kg。"
        "请查水箱、车厢与车牌",
        "Unusual tare: {tare_kg} kg; the last {tares} of this plate give {usual_kg} ± {band_kg} kg, {over_kg} kg more. "
        "Look at tanks, body and plate",
    ),
    (_K.TARE_HISTORY, "light"): Words(
        "皮重异常:{tare_kg} kg,此车最近 {tares} 次的中位数 {usual_kg} ± {band_kg} kg,差 {over_kg} kg。请核对车辆与车牌",
        "Unusual tare: {tare_kg} kg; the last {tares} of this plate give {usual_kg} ± {band_kg} kg, {over_kg} kg off. "
        "Compare truck and plate",
    ),
    (_K.NO_VEHICLE, "unseen"): Words(
        "地感无车而重量由 {before_kg} kg 变为 {after_kg} kg。请查看秤台",
        "No vehicle on the loops, yet the weight went from {before_kg} kg to {after_kg} kg. Look at the deck",
    ),
    (_K.ALIBI, "back"): Words(
        "仪表存储号倒退:{before} 之后是 {now}。请核对仪表与铅封",
        "The weighing memory went back: {now} after {before}. Check the indicator and its seal",
    ),
    (_K.ALIBI, "same"): Words(
        "两次称重的存储号相同:{now}。请核对仪表与铅封",
        "Two weighings have the same memory number {now}. Check the indicator and its seal",
    ),
    (_K.INDICATOR, "rate"): Words(
        "仪表发送间隔由 {interval_before_ms} ms 变为 {interval_ms} ms。请核对仪表与铅封",
        "Frames now come every {interval_ms} ms, it was {interval_before_ms} ms. Check the indicator and its seal",
    ),
    (_K.INDICATOR, "division"): Words(
        "仪表分度值由 {division_before_kg} kg 变为 {division_now_kg} kg。请核对仪表与铅封",
        "The division is now {division_now_kg} kg, it was {division_before_kg} kg. Check the indicator and its seal",
    ),
    (_K.INDICATOR, "decimals"): Words(
        "仪表小数位由 {decimals_before} 变为 {decimals_now}。请核对仪表与铅封",
        "Frames have {decimals_now} decimals, it was {decimals_before}. Check the indicator and its seal",
    ),
    (_K.INDICATOR, "flag"): Words(
        "仪表的稳定标志有了变化(有/无)。请核对仪表与铅封",
        "The stable flag appeared or vanished. Check the indicator and its seal",
    ),
}


def words_of(cause: Cause) -> Words:
    """The sentence of a cause."""
    shown = {name: format_kg(value) if name.endswith("_kg") else str(value) for name, value in cause.numbers}
    template = SENTENCES[cause.kind, cause.case]
    return Words(template.zh.format_map(shown), template.en.format_map(shown))
