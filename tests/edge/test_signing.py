"""Exit pass codes as scanners and forms really deliver them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.domain.exit_pass import ExitPass
from edge.domain.pass_code import CODE_CHARACTERS, PassUnreadable
from edge.signing import PassForged, PassKey

PASS = ExitPass(1, 1, 7, "00ff" * 4, 28_340, b"12345678", datetime(2026, 11, 23, tzinfo=UTC), 720, 1)
_LEADING_SPACE_KEY_ID = 36 + 45 * 6 - 256
"""Version 1 and this key id encode to a first character that is a space."""


def key_with_leading_space() -> PassKey:
    """About one key in 256."""
    while (key := PassKey(Ed25519PrivateKey.generate())).key_id != _LEADING_SPACE_KEY_ID:
        pass
    return key


def test_a_code_that_begins_with_a_space_survives_whoever_trims_it() -> None:
    key = key_with_leading_space()
    code = key.write(PASS)
    assert code[0] == " "
    assert len(code) == CODE_CHARACTERS
    for scanned in (code, code.strip(), f"{code}\r\n", f"\t{code.strip()}\n"):
        assert key.read(scanned) == PASS


def test_a_code_that_lost_any_other_character_is_no_pass() -> None:
    key = PassKey(Ed25519PrivateKey.generate())
    code = key.write(replace(PASS, number=8))
    for at in (0, 1, 2, 75, CODE_CHARACTERS - 1):
        with pytest.raises((PassUnreadable, PassForged)):
            key.read(code[:at] + code[at + 1 :])
