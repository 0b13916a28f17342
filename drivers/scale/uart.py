"""What a UART with other line settings makes of bytes on a line: the far end of `weighgate scale detect`.

The sender's bits are laid out in time and sampled as a receiver does: it waits for a low level, then looks at the
middle of each of its own bits. Parity is not checked and a missing stop bit is no reason to drop a byte, because the
kernel does neither unless it is told to (INPCK, which pyserial clears). Source of the resynchronisation: 16550 data
sheet, framing error.
"""

from drivers.scale.profile import SerialDefaults


def bits_per_byte(line: SerialDefaults) -> int:
    """Start, data, parity and stop bits: what one byte costs on the line."""
    return 1 + line.bytesize + (line.parity != "N") + line.stopbits


def parse_line(text: str) -> SerialDefaults:
    """Line settings written as "1200,8N1". Raises ValueError in words."""
    baud, _, rest = text.partition(",")
    try:
        return SerialDefaults.model_validate(
            {"baud": int(baud), "bytesize": int(rest[0]), "parity": rest[1].upper(), "stopbits": int(rest[2:])}
        )
    except (ValueError, IndexError):
        raise ValueError(f"{text!r}: write it as 9600,8N1 or 4800,7E1") from None


def line_text(line: SerialDefaults) -> str:
    """The same the other way round."""
    return f"{line.baud},{line.bytesize}{line.parity}{line.stopbits}"


def heard(data: bytes, sent: SerialDefaults, read: SerialDefaults) -> bytes:
    """What a receiver with the settings `read` makes of `data`, sent in one piece with the settings `sent`."""
    if sent == read:
        return bytes(byte & (1 << sent.bytesize) - 1 for byte in data)
    levels = [level for byte in data for level in _levels(byte, sent)]
    found = bytearray()
    # Positions are counted in 1 / (2 * both rates) of a second, so that the middle of every bit is a whole number.
    sent_bit, read_bit = 2 * read.baud, 2 * sent.baud
    after = len(levels) * sent_bit
    at = 0
    while at < after:
        if levels[at // sent_bit]:
            at = (at // sent_bit + 1) * sent_bit  # idle or stop: wait for the next start bit
            continue
        middles = [at + read_bit * place + read_bit // 2 for place in range(1, read.bytesize + 1)]
        found.append(sum(_level(levels, middle // sent_bit) << place for place, middle in enumerate(middles)))
        stop = at + read_bit * (1 + read.bytesize + (read.parity != "N"))
        middle = stop + read_bit // 2
        at = middle if _level(levels, middle // sent_bit) else stop  # a low stop bit is the next start bit to a 16550
    return bytes(found)


def _level(levels: list[int], place: int) -> int:
    return levels[place] if place < len(levels) else 1


def _levels(byte: int, line: SerialDefaults) -> list[int]:
    """The levels of one byte, the start bit first; 1 is the idle line."""
    data = [byte >> place & 1 for place in range(line.bytesize)]
    parity = [] if line.parity == "N" else [(sum(data) + (line.parity == "O")) % 2]
    return [0, *data, *parity, *[1] * line.stopbits]
