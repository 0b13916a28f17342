"""The modules of a QR code as bits, and as the rows of a printer raster."""

QUIET_MODULES = 4
"""White margin on every side (ISO/IEC 18004, 6.3.8)."""


def modules(data: str) -> tuple[tuple[bool, ...], ...]:
    """Rows of modules, True is dark, without the quiet zone. Level M; alphanumeric mode whenever the data allows it."""
    import segno  # 9 MB that a plant without a raster printer never needs

    code = segno.make_qr(data, error="m", boost_error=False)
    return tuple(tuple(bool(module) for module in row) for row in code.matrix)


def raster_rows(data: str, module_dots: int, paper_dots: int) -> list[bytes]:
    """The code with its quiet zone as raster rows of equal length, one bit a dot, centred by white dots at the left.

    A code too wide for the paper gets smaller modules; below 3 dots (0.4 mm) a hand scanner fails: ValueError.
    """
    code = modules(data)
    across = len(code) + 2 * QUIET_MODULES
    dots = min(module_dots, paper_dots // across)
    if dots < 3:
        raise ValueError(f"a QR code of {len(data)} characters needs {3 * across} dots, the paper has {paper_dots}")
    left = (paper_dots - across * dots) // 2
    width = (left + across * dots + 7) // 8
    blank = bytes(width)
    rows = [blank] * (QUIET_MODULES * dots)
    for line in code:
        bits = 0
        for dark in line:
            bits = (bits << dots) | ((1 << dots) - 1 if dark else 0)
        used = left + (QUIET_MODULES + len(line)) * dots
        rows.extend([(bits << (width * 8 - used)).to_bytes(width, "big")] * dots)
    return rows + [blank] * (QUIET_MODULES * dots)
