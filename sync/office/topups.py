"""充值码: a payment booked and granted to one plant in one go, and the grant as a code for a link that is down."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict

from sync import carried
from sync.keys import Instance
from sync.office.notices import check_range, check_text
from sync.office.refusal import NotAllowed
from sync.office.requests import MOST_FEN
from sync.office.store.database import Store
from sync.office.store.money import Payment, grant_by_hand, post_payment
from sync.office.store.orders import open_instance
from sync.office.store.reconcile import refuse_ungranted, refuse_while_reconciling
from sync.office.store.terms import current_term
from sync.office.store.topups import Grant, find_account, find_grant, followed_term


class TopupIn(BaseModel):
    """What finance types. `who` is a customer's number, an account, or the plate or notice that the dispatcher reads
    out; amounts in fen. Without `grant_fen` the whole payment goes to the plant."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    plant: str
    who: str
    grant_fen: int = 0
    reference: str = ""
    payment_fen: int = 0
    payer: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """A grant as it is shown: the same text as QR code and as lines to type."""

    grant: Grant
    text: str
    lines: tuple[str, ...]
    follows: bool
    """Whether the plant has told that it follows our term; else it takes the code only after its next contact."""

    def as_json(self) -> dict[str, Any]:
        """For the API."""
        return {
            "instance": self.grant.instance, "account": self.grant.account, "granted_fen": self.grant.granted_fen,
            "code": self.text, "lines": list(self.lines),
        }  # fmt: skip


def top_up(store: Store, body: TopupIn, by: str) -> tuple[str, str, bool]:
    """Book the payment, if one is given, and grant to the plant, in one commit; instance, account, and whether anything
    was done: a payment that was booked before is not booked again, and nothing is granted for it again.

    NotAllowed: nothing was booked.
    """
    check_range("amount", body.grant_fen, 0, MOST_FEN, "fen")
    check_range("payment", body.payment_fen, 0, MOST_FEN, "fen")
    check_text("payer", body.payer)
    if bool(body.payment_fen) != bool(body.reference):
        missing = "payment" if body.reference else "reference"
        raise NotAllowed(
            missing, "", "登记到款须同时写流水号和金额", "a payment needs both its bank reference and its amount"
        )
    with store.write() as tx:
        refuse_while_reconciling(tx)
        instance = open_instance(tx, body.plant)
        account = find_account(tx, body.who)
        wanted_fen = body.grant_fen or body.payment_fen
        if not wanted_fen:
            raise NotAllowed("amount", "", "请写金额", "say how much")
        if not body.payment_fen:
            grant_by_hand(tx, account.account, instance, wanted_fen)
            return instance, account.account, True
        if account.kind != "prepaid":
            raise NotAllowed(
                "who", body.who, "到款记入预付账户;赊销账户不收到款", "payments go to prepaid accounts, not to credit"
            )
        paid = Payment(body.reference, account.customer_id, "", body.payment_fen, body.payer, by)
        new = post_payment(tx, paid, first=(instance, wanted_fen))
    return instance, account.account, new


def code_of(store: Store, key: Ed25519PrivateKey, instance: str, account: str) -> Code:
    """The code of what was granted so far: any number of times, the same text for the same total. NotAllowed when
    there is none, when the plant epoch takes no more grants, or while the books are reconciled."""
    with store.read() as tx:
        refuse_while_reconciling(tx)
        grant = find_grant(tx, instance, account)
        if grant is None:
            raise NotAllowed("account", account, "该厂没有此账户的额度", "nothing was ever granted there")
        if grant.frozen or grant.state != "open":
            raise NotAllowed("plant", instance, "该期不再收额度", f"is {'frozen' if grant.frozen else grant.state}")
        refuse_ungranted(tx, instance)
        term = current_term(tx)
        follows = followed_term(tx, instance) == term.number
    # The moment of the grant, not of this showing: the signature then is the same too, and somebody who reads the
    # lines out by telephone may open the page again in between.
    made_at = datetime.fromisoformat(grant.granted_at or grant.enrolled_at)
    carried_grant = carried.CarriedGrant(
        Instance.parse(instance), carried.TermMark.of(term), account, grant.granted_fen, made_at
    )
    text = carried.write(carried_grant, key)
    return Code(grant, text, tuple(carried.lines(text)), follows)
