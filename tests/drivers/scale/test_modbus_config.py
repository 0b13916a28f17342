"""What a site says of a Modbus scale, and what it may not say."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from drivers.modbus import parse_modbus_target
from drivers.registry import ScaleConfig
from drivers.scale.modbus_indicator import ModbusIndicatorConfig
from tests.drivers.scale.modbus_rig import FAST

CONFIG: TypeAdapter[ScaleConfig] = TypeAdapter(ScaleConfig)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"registers": "nothing"}, "unknown registers 'nothing'; valid: cas_ci600d, dini_dgt4x, "),
        ({"registers": "relay_generic"}, "unknown registers 'relay_generic'; valid: "),
        (
            {"registers": "kpr", "decimals": 0},
            '\'kpr\': set word_order to "big" or "little"; `weighgate scale commission',
        ),
        ({"registers": "generic_transmitter"}, "'generic_transmitter': set decimals"),
        ({"target": "udp://10.0.0.1"}, "is no Modbus target; allowed: tcp://host:502, rtu"),
        ({"target": "serial:///dev/ttyS1?baud=1"}, "baud 1 is not 300 to 921600"),
        ({"decimals": 0, "division": "0.1"}, "exclude each other"),
        ({"device_id": 256}, "less than or equal to 255"),
        ({"target": "serial:///dev/ttyS1", "device_id": 0}, "device_id 0: a serial line has 1 to 247"),
        ({"word_oder": "big"}, "Extra inputs"),
    ],
)
def test_what_a_site_may_not_say(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as error:
        CONFIG.validate_python({"type": "modbus", "target": "tcp://10.0.0.1", "registers": "hbm_wtx"} | settings)
    assert says in str(error.value)


def test_a_serial_line_takes_the_maps_own_speed_and_a_site_may_say_another() -> None:
    wired = ModbusIndicatorConfig(
        type="modbus",
        target="serial:///dev/ttyS1",
        registers="zsg4",
        decimals=0,
        **FAST,  # type: ignore[arg-type]
    )
    assert wired.line(wired.map())[:4] == ("serial", "/dev/ttyS1", 38_400, "N")
    remote = parse_modbus_target("rtu+rfc2217://10.0.0.5:4001?baud=19200&parity=E&stopbits=2")
    assert remote == ("serial", "rfc2217://10.0.0.5:4001", 19_200, "E", 2)
    assert ModbusIndicatorConfig(
        type="modbus", target="tcp://10.0.0.1", registers="generic_transmitter", division=Decimal("0.01")
    ).map().division == Decimal("0.01")
