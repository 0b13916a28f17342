"""Our own mosquitto: written from the production files, started, killed, and a clear word when it does not start."""

import socket
from pathlib import Path

import pytest

from sync.broker import TEMPLATES, Broker, BrokerError, find_mosquitto
from sync.certificates import TlsFiles


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_starts_dies_and_starts_again_on_its_port(broker: Broker) -> None:
    port = broker.port
    broker.start()
    assert accepts(port)
    for end in (broker.kill, broker.stop, broker.stop):
        end()
        assert not accepts(port)
    broker.start()
    assert accepts(port)
    assert broker.port == port


def test_a_taken_port_is_told(server_tls: TlsFiles, tmp_path: Path, broker: Broker) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        second = Broker(other, server_tls, taken.getsockname()[1])
        with pytest.raises(BrokerError, match=r"did not start on 127\.0\.0\.1:\d+: .*[Aa]ddress"):
            second.start()
    assert not second.running


def test_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sync.broker._ADMIN_PATHS", "")
    with pytest.raises(BrokerError, match="apt-get install mosquitto"):
        find_mosquitto()


def test_templates_without_the_known_lines_are_refused(server_tls: TlsFiles, tmp_path: Path, broker: Broker) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "acl").write_text("")
    (templates / "weighgate.conf").write_text("listener 1883\n")
    with pytest.raises(BrokerError, match="no line ends in 'listener 8883'"):
        Broker(tmp_path, server_tls, broker.port, templates=templates)


def test_the_limits_of_the_contract_stand_in_the_production_file() -> None:
    lines = (TEMPLATES / "weighgate.conf").read_text(encoding="utf-8").splitlines()
    for line in ("require_certificate true", "use_identity_as_username true", "max_packet_size 262144",
                 "max_queued_messages 0", "allow_anonymous false", "persistence false"):  # fmt: skip
        assert line in lines
