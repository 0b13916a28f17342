"""The commands: run, check, keygen and pin; the other groups are in files of their own."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import structlog

from drivers.camera.address import Address
from drivers.camera.opencv_camera import OpenCvCameraConfig
from edge.cli.backup import backup, restore
from edge.cli.books import ledger, report, ticket
from edge.cli.common import CONFIG, JSON, Problem, Stoppable, read_settings
from edge.cli.demo import demo
from edge.cli.plate import plate
from edge.cli.scale import scale
from edge.settings import PlantSettings
from sync.keys import PLANT_CODE


def configure_logs() -> None:
    """key=value lines on stderr, for journald and for people."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


@click.group(cls=Stoppable)
@click.version_option(package_name="weighgate")
def main() -> None:
    """The controller beside a plant's truck scale and gate."""
    configure_logs()


@main.command()
@CONFIG
@JSON
def run(config: Path, as_json: bool) -> None:
    """Run the plant until SIGTERM or Ctrl-C."""
    from edge.main import WrongBooks, run_plant
    from edge.store.database import StoreBroken, StoreBusy
    from edge.store.tail_check import BooksTorn
    from edge.store.witness import WitnessUnwritable
    from sync.keys import KeyFileError

    settings = read_settings(config)

    def announce(url: str) -> None:
        click.echo(json.dumps({"pages": url}) if as_json else f"pages: {url}")

    try:
        run_plant(settings, announce)
    except (BooksTorn, KeyFileError, StoreBroken, StoreBusy, WitnessUnwritable, WrongBooks) as error:
        raise Problem(str(error)) from None
    except OSError as error:
        raise Problem(f"{config}: web.port: {settings.web.host}:{settings.web.port}: {error.strerror}") from None


@main.command()
@CONFIG
def check(config: Path) -> None:
    """Check a configuration without opening any device."""
    from drivers.registry import says_net
    from drivers.scale.commission import HIDES_NET
    from sync.certificates import check_enrolled
    from sync.keys import Instance, KeyFileError, load_private

    settings = read_settings(config)
    _check_cameras(config, settings)
    missing = [name for name in _key_files(settings) if not (settings.keys.directory / name).exists()]
    for lane in settings.lane:
        click.echo(f"  lane {lane.id}: {lane.indicator.type} scale, {lane.scale.division_kg} kg divisions")
        if not says_net(lane.indicator):
            click.echo(f"  lane {lane.id}: ⚠ {HIDES_NET.zh} {HIDES_NET.en}")
    if missing:
        names = ", ".join(missing)
        raise Problem(f"{config}: keys.directory: {settings.keys.directory} lacks {names} — see `weighgate keygen`")
    try:
        key = load_private(settings.keys.directory / "plant.key")
        instance = Instance.of(settings.plant.code, settings.plant.epoch, key)
        check_enrolled(settings.keys.directory / "tls.crt", instance)
    except KeyFileError as error:
        raise Problem(str(error)) from None
    click.echo(
        f"{config}: {len(settings.lane)} lane(s), {len(settings.gate)} gate(s), {len(settings.person)} people: ok"
    )


def _check_cameras(config: Path, settings: PlantSettings) -> None:
    problems = []
    for where, camera in _cameras(settings):
        address = Address(camera.url, camera.login)
        if address.login_is_open:
            said = f"{camera.login} 别人也能读 can be read by others — chmod 0400"
            click.echo(f"  {where}.login: ⚠ {said}")
        problems += [f"{config}: {where}.{problem}" for problem in address.problems()]
    if problems:
        raise Problem("\n".join(problems))


def _cameras(settings: PlantSettings) -> Iterator[tuple[str, OpenCvCameraConfig]]:
    places = [("yard", settings.yard.camera)]
    places += [(f"lane[{number}]", lane.camera) for number, lane in enumerate(settings.lane)]
    places += [(f"gate[{number}]", gate.camera) for number, gate in enumerate(settings.gate)]
    for where, camera in places:
        if isinstance(camera, OpenCvCameraConfig):
            yield f"{where}.camera", camera


def _key_files(settings: PlantSettings) -> tuple[str, ...]:
    own = ("plant.key",)
    return own if settings.head_office is None else (*own, "tls.key", "tls.crt", "ca.crt", "office.pub")


@main.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--plant", required=True, help="The plant's code, as in plant.code.")
def keygen(directory: Path, plant: str) -> None:
    """Make the keys of a new plant epoch: plant.key, plant.pub, tls.key and tls.csr for head office to sign."""
    from sync.certificates import make_request
    from sync.keys import KeyFileError, generate, save_public

    if not PLANT_CODE.fullmatch(plant):
        raise Problem(f"--plant: {plant!r} — 2 to 8 capitals and digits, like HX01")
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        key = generate(directory / "plant.key")
        save_public(directory / "plant.pub", key)
        (directory / "tls.csr").write_bytes(make_request(directory / "tls.key", plant))
    except KeyFileError as error:
        raise Problem(str(error)) from None
    click.echo(f"{directory}: plant.key and tls.key stay here; give plant.pub and tls.csr to head office")


@main.command()
@click.password_option("--pin", prompt="PIN")
def pin(pin: str) -> None:
    """Make the pin_hash of a person for the configuration."""
    from sync.secrets import hash_secret

    if not (pin.isdigit() and 4 <= len(pin) <= 12):
        raise Problem("a PIN has 4 to 12 digits")
    click.echo(hash_secret(pin))


for group in (scale, plate, ledger, ticket, report, backup, restore, demo):
    main.add_command(group)
