"""`weighgate-office`: head office's program. Exit codes: 0 done, 1 the answer is no, 2 wrong use or configuration."""

import logging
import sys
from pathlib import Path

import click
import structlog

from sync.office import cli_epochs, cli_money, requests
from sync.office.command import CONFIG, JSON, Group, open_configured, read_settings, say
from sync.office.settings import load_settings, missing_files
from sync.secrets import hash_secret
from sync.settings_errors import SettingsError
from sync.units import format_fen, format_kg


@click.group(cls=Group)
def main() -> None:
    """Head office of weighgate: shipments in, money and notices out."""


for _command in (*cli_money.COMMANDS, *cli_epochs.COMMANDS):
    main.add_command(_command)


@main.command()
@CONFIG
@JSON
def run(config: Path, as_json: bool) -> None:
    """Serve the plants and the pages until Ctrl-C."""
    from sync.office.main import main_loop

    settings = read_settings(config)
    _log_to_stderr()

    def ready(address: str) -> None:
        say(as_json, {"event": "ready", "address": address}, f"weighgate 总部 head office: {address}")

    main_loop(settings, config, ready)


@main.command()
@CONFIG
@JSON
def check(config: Path, as_json: bool) -> None:
    """Read the configuration and say what is wrong with it; starts nothing."""
    settings = load_settings(config)
    missing = missing_files(settings, config)
    if missing:
        raise SettingsError("\n".join(missing))
    people = len(settings.people)
    say(
        as_json,
        {"ok": True, "people": people},
        f"{config}: good; {people} people, database {settings.office.database.split('@')[-1]}",
    )


@main.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--broker", "brokers", multiple=True, help="Broker's host name or address; may be given again.")
@click.option("--broker-port", default=8883, show_default=True)
@click.option("--web-port", default=8700, show_default=True)
@click.option("--database", default="sqlite:///office.sqlite3", show_default=True)
@JSON
def init(
    directory: Path, brokers: tuple[str, ...], broker_port: int, web_port: int, database: str, as_json: bool
) -> None:
    """Make a head office: authority, certificates, signing key, configuration, first PINs."""
    from sync.office.setup import create_office

    made = create_office(directory, brokers, broker_port, web_port, database)
    lines = [f"{made.config}: made. The PINs and the token are shown this once:"]
    lines += [f"  {name}: {pin}" for name, pin in made.pins.items()] + [f"  API token: {made.token}"]
    say(as_json, {"config": str(made.config), "pins": made.pins, "token": made.token}, "\n".join(lines))


@main.command("enrol")
@CONFIG
@click.argument("plant")
@click.option("--name", required=True, help="What people call the plant.")
@click.option("--public-key", required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--csr", required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--epoch", type=click.IntRange(1, 10**6), help="The next one, unless given.")
@JSON
def enrol_command(
    config: Path, plant: str, name: str, public_key: Path, csr: Path, out: Path, epoch: int | None, as_json: bool
) -> None:
    """Let a plant's box in: register its key, sign its TLS request, write tls.crt, ca.crt and office.pub."""
    from sync.office.setup import enrol_plant

    with open_configured(config) as (settings, store):
        folder = settings.at(settings.link.ca).parent
        instance = enrol_plant(store, folder, plant, name, public_key, csr, out, epoch)
    told = {"instance": instance.wire_id, "plant": plant, "epoch": instance.epoch, "out": str(out)}
    say(as_json, told, f"enrolled {instance.wire_id}; its files are in {out}")


@main.command()
@CONFIG
@click.option("--customer", required=True)
@click.option("--name", default="", help="The customer's name, the first time.")
@click.option("--reference", required=True, help="The bank's reference.")
@click.option("--amount", required=True, help="Yuan, like 56680.50.")
@click.option("--payer", default="")
@JSON
def pay(config: Path, customer: str, name: str, reference: str, amount: str, payer: str, as_json: bool) -> None:
    """Post a payment notice 到款通知书. The same one twice is booked once."""
    fields = {"reference": reference, "customer_id": customer, "customer_name": name, "amount": amount, "payer": payer}
    body = requests.read_body(requests.PaymentIn, requests.from_texts(fields))
    with open_configured(config) as (_, store):
        told = requests.book_payment(store, body, "cli")
    word = "posted" if told["new"] else "was posted before, nothing changed"
    say(as_json, told, f"{reference}: ¥{format_fen(body.amount_fen)} {word}")


@main.command()
@CONFIG
@click.option("--customer", required=True)
@click.option("--name", default="")
@click.option("--application", required=True)
@click.option("--product", required=True)
@click.option("--quantity-kg", required=True)
@click.option("--price", required=True, help="Yuan per tonne.")
@click.option("--due", required=True, help="YYYY-MM-DD.")
@click.option("--responsible", required=True)
@JSON
def credit(config: Path, customer: str, name: str, as_json: bool, **fields: str) -> None:
    """Book an approved credit application 赊销申请."""
    texts = {**fields, "customer_id": customer, "customer_name": name}
    body = requests.read_body(requests.CreditIn, requests.from_texts(texts))
    with open_configured(config) as (settings, store):
        told = requests.book_credit(store, body, "cli", settings.office.utc_offset_hours)
    say(as_json, told, f"{told['account']}: ¥{format_fen(told['amount_fen'])}")


@main.command()
@CONFIG
@click.argument("plant")
@click.option("--customer", required=True)
@click.option("--plate", required=True)
@click.option("--product", required=True)
@click.option("--price", required=True, help="Yuan per tonne.")
@click.option("--axles", default="6", show_default=True)
@click.option("--rigid", is_flag=True, help="A truck without trailer.")
@click.option("--number", default="", help="Empty: the next of the day.")
@click.option("--mode", default="prepaid", show_default=True)
@click.option("--limit-kg", default="")
@click.option("--vehicle-max-kg", default="")
@click.option("--expires", default="", help="ISO 8601; empty: 24 hours from now.")
@click.option("--credit-application", default="")
@click.option("--pickup-person", default="")
@click.option("--carrier", default="")
@click.option("--freight", default="", help="Yuan advanced to the carrier.")
@JSON
def notice(
    config: Path, plant: str, customer: str, number: str, expires: str, rigid: bool, as_json: bool, **fields: str
) -> None:
    """Issue a dispatch notice 发货通知单; its money is reserved and granted in the same commit."""
    texts = {**fields, "plant": plant, "customer_id": customer, "notice": number, "expires_at": expires}
    typed = {**requests.from_texts(texts), "articulated": not rigid}
    body = requests.read_body(requests.NoticeIn, typed)
    with open_configured(config) as (settings, store):
        issued = requests.book_notice(store, body, "cli", settings.office.utc_offset_hours)
    text = f"{issued.notice}: {issued.plate}, ¥{format_fen(issued.hold_fen)} reserved"
    say(as_json, issued.model_dump(mode="json"), text)


@main.command()
@CONFIG
@click.argument("number")
@click.option("--reason", required=True)
def cancel(config: Path, number: str, reason: str) -> None:
    """Take a dispatch notice back."""
    with open_configured(config) as (_, store):
        requests.withdraw_notice(store, number, reason)
    click.echo(f"{number}: cancellation on its way")


@main.command()
@CONFIG
@click.argument("plant")
@click.option("--account", required=True, help="Like C001/prepaid.")
@click.option("--amount", required=True, help="Yuan to grant on top.")
@JSON
def grant(config: Path, plant: str, account: str, amount: str, as_json: bool) -> None:
    """Allot more of an account to a plant 额度, for instance before planned work on its line."""
    with open_configured(config) as (_, store):
        told = requests.grant(store, account, plant, requests.from_texts({"amount": amount}).get("amount_fen", 0))
    say(as_json, told, f"{account} at {told['instance']}: ¥{format_fen(told['granted_fen'])} granted in all")


@main.command()
@CONFIG
@click.argument("plant")
@click.option("--product", required=True)
@click.option("--received-kg", required=True, help="What came in with this receipt.")
@JSON
def stock(config: Path, plant: str, product: str, received_kg: str, as_json: bool) -> None:
    """Take goods into a plant's yard 产成品入库; from a product's first receipt on, no ticket exceeds its stock."""
    with open_configured(config) as (_, store):
        kg = requests.from_texts({"received_kg": received_kg}).get("received_kg", 0)
        told = requests.receive_stock(store, plant, product, kg)
    say(as_json, told, f"{told['plant']}: {told['product']} {format_kg(told['received_kg'])} kg received in all")


@main.command()
@CONFIG
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="A file; standard output without it.")
@click.option("--plant", default="")
@click.option("--date", "business_date", default="")
def export(config: Path, out: Path | None, plant: str, business_date: str) -> None:
    """Shipments as CSV for a spreadsheet."""
    from sync.office.export import shipments_csv
    from sync.office.store.views import each_shipment

    with open_configured(config) as (settings, store), store.read() as tx:
        lines = shipments_csv(each_shipment(tx, plant, business_date), settings.office.utc_offset_hours)
        if out is None:
            sys.stdout.buffer.writelines(line.encode() for line in lines)
            return
        with out.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)


@main.command()
@CONFIG
@JSON
def verify(config: Path, as_json: bool) -> None:
    """Read the books again: chains, shipments, counters, funds, invariant I1. Exit 1 if anything does not hold."""
    from sync.office.store.database import StoreDamaged
    from sync.office.store.verification import verify_books
    from sync.office.store.views import totals

    try:
        with open_configured(config) as (_, store), store.read() as tx:
            found, sums = verify_books(tx), totals(tx)
    except StoreDamaged as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    told = {"ok": found.ok, "checks": found.checks, "problems": found.problems, "rows": found.rows, "totals": sums}
    kg, yuan = format_kg(sums["net_kg"]), format_fen(sums["amount_fen"])
    good = f"{found.rows} rows hold; {sums['shipments']} tickets, {kg} kg, ¥{yuan}"
    say(as_json, told, good if found.ok else "\n".join(found.problems))
    if not found.ok:
        sys.exit(1)


@main.command()
@JSON
@click.argument("secret", required=False)
def pin(secret: str | None, as_json: bool) -> None:
    """Hash a PIN or token for the configuration; asks for it, or takes it as argument."""
    text = secret or click.prompt("PIN", hide_input=True, confirmation_prompt=True)
    hashed = hash_secret(text)
    say(as_json, {"hash": hashed}, hashed)


@main.command()
@JSON
def token(as_json: bool) -> None:
    """Make a new API token and its hash for the configuration."""
    import secrets

    text = secrets.token_urlsafe(24)
    hashed = hash_secret(text)
    say(as_json, {"token": text, "hash": hashed}, f'token: {text}\ntoken_hash = "{hashed}"')


def _log_to_stderr() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="level=%(levelname)s event=%(message)s")
