"""Head office's "no": which field, what was given, what is allowed, in both languages."""


class NotAllowed(Exception):
    """Nothing was changed. Shown on the form, printed by the command, returned by the API."""

    def __init__(self, field: str, value: str, zh: str, en: str) -> None:
        super().__init__(field, value, zh, en)
        self.field = field
        self.value = value
        self.zh = zh
        self.en = en

    def __str__(self) -> str:
        return f"{self.field}: {self.value!r} — {self.en}"

    def as_json(self) -> dict[str, str]:
        """For the API: `{"field", "value", "allowed", "allowed_zh"}`."""
        return {"field": self.field, "value": self.value, "allowed": self.en, "allowed_zh": self.zh}
