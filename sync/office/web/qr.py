"""A QR code as the path of an inline SVG: sharp at any size, and no image for the security policy to allow."""

import segno

QUIET_MODULES = 4
"""White margin on every side (ISO/IEC 18004, 6.3.8)."""


def qr_path(text: str) -> tuple[int, str]:
    """Modules across, quiet zone included, and the path of the dark ones. Level M; capitals and digits stay small."""
    code = segno.make_qr(text, error="m", boost_error=False)
    path = []
    for y, row in enumerate(code.matrix):
        x = 0
        while x < len(row):
            run = x
            while run < len(row) and row[run]:
                run += 1
            if run > x:
                path.append(f"M{x + QUIET_MODULES} {y + QUIET_MODULES}h{run - x}v1h-{run - x}z")
            x = max(run, x + 1)
    return len(code.matrix) + 2 * QUIET_MODULES, "".join(path)
