"""What an indicator sends for a weight: the simulator's side of `config/indicators/`, one module for each family.

Written by hand from the manuals and not from the profiles, so that the two check each other in the round-trip test.
`answers.py` is the other half of those that are asked.
"""

from collections.abc import Callable
from functools import partial

from drivers.scale.encoders.american import cardinal, rlws, sma, weightronix
from drivers.scale.encoders.comma import ad_std, cas22, dini_ext, dini_std
from drivers.scale.encoders.european import bilanciai, prot_f, sartorius_sbi, systec
from drivers.scale.encoders.rinstrum import rinstrum_fmt1, rinstrum_fmt2, rinstrum_net
from drivers.scale.encoders.shown import Encoder, Shown
from drivers.scale.encoders.toledo import mt_sics, toledo
from drivers.scale.encoders.yaohua import (
    dingsong_c,
    eq_kg,
    eq_plain,
    eq_reversed,
    gw_paren,
    yaohua_command,
    yaohua_tf0,
    yaohua_w,
)

__all__ = ["ENCODERS", "Encoder", "Shown", "encoder", "toledo"]

ENCODERS: dict[str, Encoder] = {
    "yaohua_tf0": yaohua_tf0,
    "yaohua_command": yaohua_command,
    "yaohua_w": yaohua_w,
    "eq_reversed": eq_reversed,
    "eq_plain": eq_plain,
    "eq_kg": eq_kg,
    "gw_paren": gw_paren,
    "dingsong_c": dingsong_c,
    "toledo": toledo,
    "ad_std": ad_std,
    "cas22": cas22,
    "mt_sics": mt_sics,
    "dini_std": dini_std,
    "dini_ext": dini_ext,
    "rinstrum_net": rinstrum_net,
    "rinstrum_fmt1": rinstrum_fmt1,
    "rinstrum_fmt2": rinstrum_fmt2,
    "sma": sma,
    "rlws": rlws,
    "cardinal": cardinal,
    "weightronix": weightronix,
    "bilanciai": bilanciai,
    "systec": systec,
    "prot_f": prot_f,
    "sartorius_sbi": sartorius_sbi,
}
"""By the indicator's name in `config/indicators/`."""


ADDRESSED: dict[str, Callable[..., bytes]] = {
    "yaohua_command": yaohua_command,
    "dini_std": dini_std,
    "dini_ext": dini_ext,
    "rinstrum_net": rinstrum_net,
}
"""Those whose frames carry the indicator's address."""


def encoder(indicator: str, address: int | None = None) -> Encoder:
    """The encoder of an indicator, with its address where frames carry one. Raises ValueError with the names that can
    be simulated."""
    try:
        encode = ENCODERS[indicator]
    except KeyError:
        raise ValueError(f"indicator {indicator!r} cannot be simulated; valid: {', '.join(sorted(ENCODERS))}") from None
    return encode if address is None else partial(ADDRESSED[indicator], address=address)
