"""`weighgate-office refund|undo|recall|reprice`: money that goes back, and prices that change."""

from pathlib import Path

import click

from sync.office import corrections, requests
from sync.office.command import CONFIG, JSON, open_configured, say
from sync.units import format_fen


@click.command()
@CONFIG
@click.option("--customer", required=True)
@click.option("--reference", required=True, help="The bank's reference of the transfer back.")
@click.option("--amount", required=True, help="Yuan, like 56680.50.")
@click.option("--reason", required=True)
@click.option("--again", is_flag=True, help="Paid out before the books were restored; while they are reconciled.")
@JSON
def refund(config: Path, customer: str, reference: str, amount: str, reason: str, again: bool, as_json: bool) -> None:
    """Book a refund 退款 out of what is free. The same one twice is booked once."""
    fields = {"reference": reference, "customer_id": customer, "amount": amount, "reason": reason}
    typed = {**requests.from_texts(fields), "again": again}
    body = requests.read_body(corrections.RefundIn, typed)
    with open_configured(config) as (_, store):
        told = corrections.book_refund(store, body, "cli")
    word = "refunded" if told["new"] else "was refunded before, nothing changed"
    say(as_json, told, f"{reference}: ¥{format_fen(body.amount_fen)} {word}")


@click.command()
@CONFIG
@click.argument("reference")
@click.option("--reason", required=True)
@JSON
def undo(config: Path, reference: str, reason: str, as_json: bool) -> None:
    """Take a payment back 退票: a cheque that bounced. What is not free any more is recalled from the plants."""
    body = corrections.UndoIn(reference=reference, reason=reason)
    with open_configured(config) as (_, store):
        told = corrections.undo_payment(store, body, "cli")
    covered, exposed = format_fen(told["covered_fen"]), format_fen(told["exposure_fen"])
    asked = ", ".join(told["recalled"]) or "-"
    before = "" if told["new"] else "was undone before, nothing changed; "
    say(as_json, told, f"{reference}: {before}¥{covered} taken back, ¥{exposed} exposed 敞口; recalled from {asked}")


@click.command()
@CONFIG
@click.option("--account", required=True, help="Like C001/prepaid.")
@click.option("--plant", default="", help="Empty: every plant that holds money of it.")
@click.option("--keep", default="0", show_default=True, help="Yuan the plant may keep.")
@click.option("--reason", default="")
@JSON
def recall(config: Path, account: str, plant: str, keep: str, reason: str, as_json: bool) -> None:
    """Ask plants to give back 收回额度 what no truck holds. It is free when they have answered."""
    keep_fen = requests.from_texts({"amount": keep}).get("amount_fen", 0)
    body = corrections.RecallIn(account=account, plant=plant, keep_fen=keep_fen, reason=reason)
    with open_configured(config) as (_, store):
        told = corrections.recall(store, body)
    say(as_json, told, f"{account}: asked {', '.join(told['recalled']) or 'nobody: nothing is unused'}")


@click.command()
@CONFIG
@click.option("--product", required=True)
@click.option("--price", required=True, help="Yuan per tonne.")
@click.option("--plant", default="", help="Empty: all plants.")
@JSON
def reprice(config: Path, product: str, price: str, plant: str, as_json: bool) -> None:
    """A new price 调价 for every open prepaid notice of a product; exit 1 if one of them could not be changed."""
    typed = requests.from_texts({"product": product, "price": price, "plant": plant})
    body = requests.read_body(corrections.RepriceIn, typed)
    with open_configured(config) as (_, store):
        lines = corrections.reprice(store, body)
    for line in lines:
        done = f"version {line['version']}, ¥{format_fen(line['hold_fen'])} reserved" if line["ok"] else line["why"]
        say(as_json, line, f"{line['notice']} ({line['plant']}): {done}")
    if not lines and not as_json:
        click.echo("no open notice of this product")
    if not all(line["ok"] for line in lines):
        click.get_current_context().exit(1)


COMMANDS = (refund, undo, recall, reprice)
