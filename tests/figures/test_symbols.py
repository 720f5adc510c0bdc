"""λ_K^1 and the like have real indices in pages and pictures."""

import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import vl_convert
from PIL import Image

from breakeven.figures import symbols

TEXT = '<svg xmlns="http://www.w3.org/2000/svg"><text aria-label="λ_K^1">{}</text></svg>'

LOOK = 'x="9" y="40" font-size="30" font-family="sans-serif"'  # as Vega writes it
LARGE = f'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><text {LOOK}>{{}}</text></svg>'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max λ_K^1 < 3", "max λ<sub>K</sub><sup>1</sup> &lt; 3"),
        ("λ_K^*/λ_K^1", "λ<sub>K</sub><sup>*</sup>/λ<sub>K</sub><sup>1</sup>"),
        ("(λ_H^1+…+λ_H^5)/e_H^1", "(λ<sub>H</sub><sup>1</sup>+…+λ<sub>H</sub><sup>5</sup>)/e<sub>H</sub><sup>1</sup>"),
        ("λ_PH^1", "λ<sub>PH</sub><sup>1</sup>"),
        ("‖g‖/‖g_5‖", "‖g‖/‖g<sub>5</sub>‖"),
        ("my_K^1, a file_g_5", "my_K^1, a file_g_5"),  # a user's own names
    ],
)  # fmt: skip
def test_in_pages(text, expected):
    assert symbols.html(text) == expected


@pytest.mark.parametrize("text", ["λ_K^1", "max λ_K^*/λ_K^1 (log scale)", "‖g‖/‖g_5‖ over", "no symbol"])
def test_in_pictures_the_text_stays_and_ends_on_its_line(text):
    drawing = symbols.svg(TEXT.format(text))
    [element] = ElementTree.fromstring(drawing)  # noqa: S314
    assert "".join(element.itertext()) == re.sub(r"[_^](?=[KH15*])", "", text)
    assert element.get("aria-label") == "λ_K^1"  # attributes are read aloud as they were
    heights = [
        float((part.get("dy") or "0em").removesuffix("em")) * float((part.get("font-size") or "100%")[:-1]) / 100
        for part in element
    ]
    if element and element[-1].get("font-size") is None:  # ordinary text comes last
        assert sum(heights) == pytest.approx(0, abs=0.002)


def test_a_png_has_them_too():
    """The second index stands higher than the first, and both are smaller than the letter before."""

    def ink(text):
        png = vl_convert.svg_to_png(symbols.svg(LARGE.format(text)), scale=2)
        grey = np.array(Image.open(io.BytesIO(png)).convert("RGBA"))
        return np.flatnonzero(grey[..., 3].any(axis=1))

    line, below, above = ink("λ"), ink("λ_K^1"), ink("‖g_5‖")
    assert below[-1] > line[-1] + 5 and below[0] < line[0]
    assert above[-1] > line[-1]


def test_every_glyph_of_a_picture_is_there():
    """What a font lacks is drawn as the same box, or as nothing."""

    def drawn(sign):
        return vl_convert.svg_to_png(LARGE.format(sign))

    nothing = {drawn("\U0010fffd"), drawn("\ue123"), drawn(" ")}
    for sign in "ληαγ∇‖²⁻√ΔΣρ≤≥÷–—…*+∞₁₀":
        assert drawn(sign) not in nothing, sign
