"""Two persons: what one alone could turn into goods nobody paid for takes the PINs of two, each for themselves."""

from dataclasses import dataclass

from sync.office.refusal import NotAllowed
from sync.office.settings import Person, Role, Settings
from sync.secrets import matches

MAY_SIGN = (Role.FINANCE, Role.ACCOUNTANT)


@dataclass(frozen=True, slots=True)
class TwoPersons:
    """Two different people of the configuration who gave their PINs: made by `two_persons`, or by the pages, which
    slow wrong PINs down, and nowhere else."""

    first: str
    second: str

    @property
    def pair(self) -> tuple[str, str]:
        """Both names."""
        return self.first, self.second

    def __str__(self) -> str:
        return f"{self.first}, {self.second}"


def check_names(settings: Settings, first: str, second: str = "") -> None:
    """NotAllowed for a name that may not sign; ask for no PIN before this."""
    if first == second:
        raise NotAllowed("second", second, "须为另一个人", "must be another person")
    _signer(settings, "first", first)
    if second:
        _signer(settings, "second", second)


def one_person(settings: Settings, field: str, name: str, pin: str) -> str:
    """Check a name and its PIN; NotAllowed says what is wrong. About 0.05 s, on purpose."""
    if not matches(pin, _signer(settings, field, name).pin_hash):
        raise NotAllowed(f"{field}_pin", "", f"{name} 的 PIN 不对", f"the PIN of {name} is wrong")
    return name


def two_persons(settings: Settings, first: tuple[str, str], second: tuple[str, str]) -> TwoPersons:
    """Check two (name, PIN); NotAllowed says which field is wrong."""
    check_names(settings, first[0], second[0])
    return TwoPersons(one_person(settings, "first", *first), one_person(settings, "second", *second))


def _signer(settings: Settings, field: str, name: str) -> Person:
    person = next((each for each in settings.people if each.name == name), None)
    if person is None or person.role not in MAY_SIGN:
        known = ", ".join(each.name for each in settings.people if each.role in MAY_SIGN) or "-"
        raise NotAllowed(field, name, f"须为财务或核算人员:{known}", f"allowed, of finance and accounting: {known}")
    return person
