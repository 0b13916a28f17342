"""Short forms of what programs and people say to the pages."""

from httpx import Client

JSON = {"Accept": "application/json"}
PINS = {"D01": "1111", "G02": "2222", "B03": "3333", "F04": "4444", "E05": "5555", "S06": "6666"}


def log_in(client: Client, person: str) -> None:
    """As this person from now on."""
    answer = client.post("/login", data={"person": person, "pin": PINS[person]}, headers=JSON)
    assert answer.status_code == 200, answer.text
