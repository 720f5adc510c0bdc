"""Decode picture files."""

import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.ExifTags import Base as Exif
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION

from breakeven.store.errors import UserError

# Pillow tells a format by the content and not by the name, and some formats start programs (EPS: Ghostscript).
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP", "TIFF", "GIF")
# in small letters; the config's schema has them, too
SUFFIXES = (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
# A file of a few kB can hold a picture that fills the memory. Pillow warns and reads on; here it is an error.
MOST_PIXELS = Image.MAX_IMAGE_PIXELS or 2**26
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")  # of EXIF, of which only the orientation is used
# what Pillow raised for damaged files: all seen
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    struct.error,
    Image.DecompressionBombError,
)
UPRIGHT = {  # by EXIF's orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
WHITE_IS_ZERO = 0  # of TIFF
# grey or colours of a PNG file that Pillow brings to 8 bits, but not the one that stands for transparent
SCALED = ("L;2", "L;4", "I;16B", "RGB;16B")


def decode(
    loader: str, file: Path, shorter_side: int | None = None, image_size: int | None = None, colours: str = "rgb"
) -> np.ndarray:
    """RGB as uint8, (3, height, width), upright by EXIF; what is transparent is on white, 16 bits are rounded to 8.

    With ``colours`` "grey", one channel, (1, height, width): grey as it is, colours by their luma (ITU-R BT.601).

    With ``image_size``, first resized so that the shorter side has ``shorter_side`` (at least ``image_size``; None means
    just that), then the middle square of ``image_size`` is cut out.
    """
    try:
        with Image.open(file, formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise ValueError(f"it has {picture.width}x{picture.height} pixels, more than {MOST_PIXELS}")
            refused = _refused(picture)
            if refused:
                raise UserError(f"{loader}: '{file}' {refused}")
            rgb = _rgb(picture)
    except DAMAGE as error:
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
    if colours == "grey":
        return np.asarray(rgb.convert("L"), dtype=np.uint8)[None]
    return np.asarray(rgb, dtype=np.uint8).transpose(2, 0, 1)


def _refused(picture: ImageFile) -> str | None:
    """Why a ``picture`` that is not loaded yet has no colours that one could be sure of, if so."""
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":  # a photograph, with previews of it
        return f"has {frames} frames, but an example is one picture: save each that you want in a file of its own"
    # PPM's are of 16 bits
    if picture.mode == "F" or (picture.mode == "I" and picture.format != "PPM"):
        what = "floating-point numbers" if picture.mode == "F" else "signed or 32-bit integers"
        return (
            f"has pixels that are {what}, which don't say what is white: scale them to 0 to 255 and save them as unsigned "
            "8-bit integers (or to 65535, as unsigned 16-bit integers)"
        )
    tags = getattr(picture, "tag_v2", {})
    white = tags.get(PHOTOMETRIC_INTERPRETATION)
    if picture.mode.startswith("I;16") and (tags.get(BITSPERSAMPLE, (16,)) != (16,) or white == WHITE_IS_ZERO):
        return "has pixels of 12 bits, or of 16 with 0 as white: save them with 8 bits, or with 16 and 0 as black"
    if "transparency" in picture.info and picture.tile and picture.tile[0].args in SCALED:
        return "has a transparent colour and other than 8 bits: save it with 8 bits or without transparency"
    return None


def _rgb(picture: Image.Image) -> Image.Image:
    picture.load()  # EXIF may stand behind the pixels
    turn = UPRIGHT.get(picture.getexif().get(Exif.Orientation, 1))  # TIFF's is applied and gone
    upright = picture if turn is None else picture.transpose(turn)
    if upright.mode.startswith("I"):
        levels = np.asarray(upright).astype(np.int64)
        return Image.fromarray(((levels + 128) // 257).astype(np.uint8)).convert("RGB")  # 65535 / 257 = 255
    if upright.has_transparency_data:
        white = Image.new("RGBA", upright.size, "white")
        return Image.alpha_composite(white, upright.convert("RGBA")).convert("RGB")
    return upright.convert("RGB")
