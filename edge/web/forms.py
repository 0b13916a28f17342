"""Forms as browsers send them, read with limits: what is too big, torn or strange is answered, never raised."""

from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

MOST_BYTES = 16_384
MOST_FIELDS = 20


@dataclass(frozen=True, slots=True)
class BadForm:
    """Why the form was not taken: the HTTP status and the reason in both languages."""

    status: int
    zh: str
    en: str


async def read_form(request: Request, **limits: int) -> dict[str, str] | BadForm:
    """The named fields, stripped, '' where missing. `limits` names each allowed field and its most characters."""
    body = await _read_body(request)
    if isinstance(body, BadForm):
        return body
    if not body:
        return dict.fromkeys(limits, "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return BadForm(415, "只接受表单数据", "Send the fields as application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )  # fmt: skip
    except ValueError:
        return BadForm(400, "表单无法读取(须为 UTF-8)", "The form cannot be read: UTF-8, at most 20 fields")
    return _pick(dict(pairs), limits)


def _pick(given: dict[str, str], limits: dict[str, int]) -> dict[str, str] | BadForm:
    fields = {}
    for name, most in limits.items():
        value = given.get(name, "").strip()
        if len(value) > most:
            return BadForm(400, f"“{name}”太长:最多 {most} 个字", f"{name} is too long: at most {most} characters")
        if not value.isprintable():
            return BadForm(400, f"“{name}”含有不可见字符", f"{name} contains control characters")
        fields[name] = value
    return fields


async def _read_body(request: Request) -> bytes | BadForm:
    too_big = BadForm(413, f"表单太大:最多 {MOST_BYTES} 字节", f"The form is too big: at most {MOST_BYTES} bytes")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            return too_big
        parts.append(part)
    return b"".join(parts)
