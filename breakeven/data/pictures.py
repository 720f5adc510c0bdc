"""Decode picture files."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from breakeven.store.errors import UserError

# Pillow tells a format by the content and not by the name, and some formats start programs (EPS: Ghostscript).
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP", "TIFF", "GIF")
# A file of a few kB can hold a picture that fills the memory. Pillow warns and reads on; here it is an error.
MOST_PIXELS = Image.MAX_IMAGE_PIXELS or 2**26
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def decode(loader: str, file: Path, shorter_side: int | None = None, image_size: int | None = None) -> np.ndarray:
    """RGB as uint8, (3, height, width).

    With ``image_size``, first resized so that the shorter side has ``shorter_side`` (at least ``image_size``; None means
    just that), then the middle square of ``image_size`` is cut out.
    """
    try:
        with Image.open(file, formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise ValueError(f"it has {picture.width}x{picture.height} pixels, more than {MOST_PIXELS}")
            rgb = picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, ArithmeticError, Image.DecompressionBombError) as error:  # all seen
        raise UserError(f"{loader}: '{file}' is damaged or no picture ({error}): delete or replace it") from error
    if image_size is not None:
        least = shorter_side or image_size
        width, height = rgb.size
        scale = least / min(width, height)
        rgb = rgb.resize(
            (max(least, round(width * scale)), max(least, round(height * scale))), Image.Resampling.BILINEAR
        )
        left, top = (rgb.width - image_size) // 2, (rgb.height - image_size) // 2
        rgb = rgb.crop((left, top, left + image_size, top + image_size))
    return np.asarray(rgb, dtype=np.uint8).transpose(2, 0, 1)
