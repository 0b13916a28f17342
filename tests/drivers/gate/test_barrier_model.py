"""The barrier as a value of time: rises, waits for the vehicle, closes; stuck and slow."""

from drivers.gate.model import BarrierFault, BarrierModel
from drivers.readings import GateInputs

SHUT = GateInputs(vehicle_on_loop=False, boom_up=False)


def _model(**settings: int | bool) -> BarrierModel:
    model = BarrierModel(rise_ms=100, pass_ms=200, hold_open_ms=1000)
    for name, value in settings.items():
        setattr(model, name, value)
    return model


def test_a_pulse_lets_one_vehicle_through() -> None:
    model = _model()
    assert model.inputs(0) == SHUT
    model.pulse(1000)
    assert model.inputs(1099) == GateInputs(vehicle_on_loop=True, boom_up=False)
    assert model.inputs(1100) == GateInputs(vehicle_on_loop=True, boom_up=True)
    assert model.inputs(1300) == SHUT
    assert (model.inputs(9000), model.pulses) == (SHUT, 1)


def test_without_a_vehicle_the_boom_closes_after_a_while() -> None:
    model = _model(vehicle_waits=False)
    model.pulse(0)
    assert model.inputs(1099) == GateInputs(vehicle_on_loop=False, boom_up=True)
    assert model.inputs(1100) == SHUT


def test_a_stuck_boom_counts_the_pulse_and_stays_down() -> None:
    model = _model()
    model.fault = BarrierFault.STUCK
    model.arrive(0)
    model.pulse(0)
    assert model.inputs(5000) == GateInputs(vehicle_on_loop=True, boom_up=False)
    assert model.pulses == 1
    model.leave()
    assert model.inputs(5001) == SHUT


def test_a_slow_boom_takes_ten_times_as_long() -> None:
    model = _model()
    model.fault = BarrierFault.SLOW
    model.pulse(0)
    assert not model.inputs(999).boom_up
    assert model.inputs(1000).boom_up
