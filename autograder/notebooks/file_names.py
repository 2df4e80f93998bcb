"""Names of files and folders that every system can hold, and that nothing misreads."""

from __future__ import annotations

import hashlib
import re

MAX_BYTES = 120
"""The longest name: the usual limit is 255 bytes, and something may come after it."""

_DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[1-9¹²³]) *(\..*)?", re.IGNORECASE | re.DOTALL)


def is_device(name: str) -> bool:
    """Whether Windows takes the name for a device's (Microsoft, Naming Files, Paths, and Namespaces)."""
    return _DEVICE.fullmatch(name) is not None


def safe_name(name: str, all_of_it: bool = False) -> str:
    """`name`, with every character that a folder, a shell pattern or nbgrader could misread as ~ and its UTF-8 in hex.

    Args:
        all_of_it: keep only small letters and digits, for names that differ only in case or width.
    """
    harmless = r"[a-z0-9]" if all_of_it else r"[\w.@ -]"

    def kept(match: re.Match[str]) -> str:
        character, place = match[0], match.start()
        inside = 0 < place < len(name) - 1
        if re.fullmatch(harmless, character) and (inside or character not in ". -"):
            return character
        return "".join(f"~{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))

    safe = re.sub(r"(?s).", kept, name)
    if len(safe.encode()) > MAX_BYTES:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        safe = safe.encode()[: MAX_BYTES - 13].decode(errors="ignore") + f"~{digest}"
    return safe or "~"
