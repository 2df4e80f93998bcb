"""How well text can be read, by WCAG 2.1."""

from __future__ import annotations

READABLE = 4.5
"""The contrast that text of ordinary size needs: https://www.w3.org/TR/WCAG21/#contrast-minimum."""


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, `#rrggbb`, from 1 to 21: https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
