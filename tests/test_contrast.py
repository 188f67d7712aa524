"""WCAG 2.2 AA, computed on the style sheet's own values: 4.5 for text, 3 for what one must see to use it."""

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parent.parent / "static/css/tokens.css").read_text()
LIGHT, DARK = CSS.split("@media (prefers-color-scheme: dark)")

TEXT = [
    *[(ink, paper) for ink in ("text", "quiet", "accent", "accent-strong") for paper in ("page", "surface", "sunken")],
    *[(kind, f"{kind}-page") for kind in ("good", "wait", "bad", "calm")],
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-cover", "cover-from"),
    ("on-cover", "cover-to"),
    ("bad", "page"),
    ("bad", "surface"),
]
SHAPES = [(shape, paper) for shape in ("field-line", "focus", "accent", "bad") for paper in ("page", "surface")]


def tokens(scheme: str) -> dict[str, str]:
    light = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", LIGHT))
    return light if scheme == "light" else light | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", DARK))


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tokens_contrast_enough(scheme: str) -> None:
    colours = tokens(scheme)
    weak = {
        (one, other): round(contrast(colours[one], colours[other]), 2)
        for pairs, least in ((TEXT, 4.5), (SHAPES, 3.0))
        for one, other in pairs
        if contrast(colours[one], colours[other]) < least
    }
    assert weak == {}


def test_title_is_readable_on_every_cover() -> None:
    css = (Path(__file__).parent.parent / "static/css/cover.css").read_text()
    ends = re.findall(r"--cover-(?:from|to): (#[0-9a-f]{6});", css)
    weak = [colour for colour in ends if contrast("#ffffff", colour) < 4.5]
    assert (len(ends), weak) == (24, [])
