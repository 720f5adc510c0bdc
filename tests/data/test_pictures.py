"""What pictures of all kinds become, against their pixels as they were written."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from breakeven.data.pictures import SUFFIXES, decode
from breakeven.store.errors import UserError

DRAWS = np.random.default_rng(0)
RGB = DRAWS.integers(0, 256, (4, 6, 3), dtype=np.uint8)
GREY = RGB[..., 0]
ALPHA = DRAWS.integers(0, 256, (4, 6), dtype=np.uint8)
SIXTEEN = DRAWS.integers(0, 2**16, (4, 6), dtype=np.uint16)
SIXTEEN[0] = 0, 128, 129, 65406, 65407, 65535  # 128/257 is less than a half, 129/257 more


def decoded(path):
    """In the order of Pillow: (height, width, 3)."""
    image = decode("loader", path)
    assert image.dtype == np.uint8
    return image.transpose(1, 2, 0)


def in_grey(levels):
    return np.repeat(np.asarray(levels, np.uint8)[..., None], 3, axis=-1)


def on_white(rgb, alpha):
    share = np.asarray(alpha, np.float64)[..., None] / 255
    return np.rint(rgb * share + 255 * (1 - share)).astype(np.uint8)


def saved(path, image, **options):
    image.save(path, **options)
    return path


def png(path, bits, colour, rows, extra=b""):
    """A PNG file of raw ``rows``; for what Pillow doesn't write."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 6, len(rows), bits, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )
    return path


def transparent_colour(*levels):
    content = struct.pack(f">{len(levels)}H", *levels)
    return struct.pack(">I", len(content)) + b"tRNS" + content + struct.pack(">I", zlib.crc32(b"tRNS" + content))


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix not in (".jfif", ".jpe", ".jpeg", ".jpg")])
def test_colours_of_8_bits_are_as_they_were_written(tmp_path, suffix):
    """By every suffix of a format that loses nothing; GIF has no more than 256 colours, which 24 pixels don't need."""
    options = {"lossless": True} if suffix == ".webp" else {}
    path = saved(tmp_path / f"a{suffix}", Image.fromarray(RGB), **options)
    np.testing.assert_array_equal(decoded(path), RGB)


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".jpeg", ".jpg"])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(tmp_path, suffix, mode):
    colour = np.full((8, 8, 3), (90, 90, 90) if mode == "L" else (200, 100, 50), np.uint8)
    path = saved(tmp_path / f"a{suffix}", Image.fromarray(colour).convert(mode), quality=95)
    assert Image.open(path).mode == mode
    assert np.abs(decoded(path).astype(int) - colour).max() <= 3


@pytest.mark.parametrize("suffix", ["png", "tif", "gif", "bmp", "pgm"])
def test_grey_and_black_and_white(tmp_path, suffix):
    np.testing.assert_array_equal(decoded(saved(tmp_path / f"grey.{suffix}", Image.fromarray(GREY))), in_grey(GREY))
    bits = np.where(GREY > 127, 255, 0)
    path = saved(tmp_path / f"bits.{suffix}", Image.fromarray(GREY > 127))
    np.testing.assert_array_equal(decoded(path), in_grey(bits))


@pytest.mark.parametrize("suffix", ["png", "tif", "gif", "bmp"])
def test_a_palette(tmp_path, suffix):
    palette = DRAWS.integers(0, 256, (256, 3), dtype=np.uint8)
    image = Image.fromarray(GREY)
    image.putpalette(palette.tobytes())
    assert image.mode == "P"
    np.testing.assert_array_equal(decoded(saved(tmp_path / f"a.{suffix}", image)), palette[GREY])


@pytest.mark.parametrize(("suffix", "order"), [("png", "<"), ("tif", "<"), ("tif", ">"), ("pgm", "<")])
def test_16_bits_are_divided_by_257(tmp_path, suffix, order):
    image = Image.fromarray(SIXTEEN.astype(np.int32) if suffix == "pgm" else SIXTEEN.astype(f"{order}u2"))
    path = saved(tmp_path / f"a.{suffix}", image)
    assert Image.open(path).mode == {"pgm": "I", "png": "I;16"}.get(suffix, "I;16" if order == "<" else "I;16B")
    image = decoded(path)
    np.testing.assert_array_equal(image, in_grey(np.rint(SIXTEEN / 257)))
    assert image[0, :, 0].tolist() == [0, 0, 1, 254, 255, 255]


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bits_of_colour_or_transparency(tmp_path, colour, channels):
    """Pillow takes the upper 8 bits: less than one level away."""
    levels = DRAWS.integers(0, 2**16, (4, 6, channels))
    path = png(tmp_path / "a.png", 16, colour, [row.astype(">u2").tobytes() for row in levels])
    rgb = levels[..., :3] if channels > 2 else np.repeat(levels[..., :1], 3, axis=-1)
    share = levels[..., -1:] / 65535 if channels in (2, 4) else 1.0
    assert np.abs(decoded(path) - (rgb * share + 65535 * (1 - share)) / 257).max() <= 1.5


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_of_grey(tmp_path, bits):
    levels = DRAWS.integers(0, 2**bits, (4, 6))
    texts = ("".join(f"{level:0{bits}b}" for level in row).ljust(-(-6 * bits // 8) * 8, "0") for row in levels)
    path = png(tmp_path / "a.png", bits, 0, [int(text, 2).to_bytes(len(text) // 8, "big") for text in texts])
    np.testing.assert_array_equal(decoded(path), in_grey(levels * 255 // (2**bits - 1)))


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_what_is_transparent_is_on_white(tmp_path, suffix):
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    path = saved(tmp_path / f"a.{suffix}", Image.fromarray(np.dstack([RGB, ALPHA])), **options)
    np.testing.assert_array_equal(decoded(path), on_white(RGB, ALPHA))


def test_a_picture_that_is_drawn_in_transparency_alone(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(np.dstack([0 * RGB, ALPHA])))
    np.testing.assert_array_equal(decoded(path), in_grey(255 - ALPHA))


def test_a_picture_that_is_transparent_nowhere(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(np.dstack([RGB, 0 * ALPHA + 255])))
    np.testing.assert_array_equal(decoded(path), RGB)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_transparent_grey(tmp_path, suffix):
    path = saved(tmp_path / f"a.{suffix}", Image.fromarray(np.dstack([GREY, ALPHA])))
    assert Image.open(path).mode == "LA"
    np.testing.assert_array_equal(decoded(path), on_white(in_grey(GREY), ALPHA))


def test_a_transparent_palette(tmp_path):
    palette = DRAWS.integers(0, 256, (256, 3), dtype=np.uint8)
    image = Image.fromarray(GREY)
    image.putpalette(palette.tobytes())
    alpha = DRAWS.integers(0, 256, 256, dtype=np.uint8)
    path = saved(tmp_path / "a.png", image, transparency=alpha.tobytes())
    assert Image.open(path).mode == "P"
    np.testing.assert_array_equal(decoded(path), on_white(palette[GREY], alpha[GREY]))

    gone = int(GREY[2, 3])  # one colour of a GIF
    path = saved(tmp_path / "a.gif", image, transparency=gone)
    np.testing.assert_array_equal(decoded(path), on_white(palette[GREY], np.where(gone == GREY, 0, 255)))

    with_alpha = image.convert("PA")
    with_alpha.putalpha(Image.fromarray(ALPHA))
    path = saved(tmp_path / "a.tif", with_alpha)
    assert Image.open(path).mode == "PA"
    np.testing.assert_array_equal(decoded(path), on_white(palette[GREY], ALPHA))


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_transparent_colour(tmp_path, mode):
    rgb = {"1": in_grey(np.where(GREY > 127, 255, 0)), "L": in_grey(GREY), "RGB": RGB}[mode]
    gone = rgb[1, 2]
    path = saved(
        tmp_path / "a.png",
        Image.fromarray(rgb).convert(mode),
        transparency=tuple(map(int, gone)) if mode == "RGB" else int(gone[0]),
    )
    assert Image.open(path).mode == mode
    alpha = np.where((rgb == gone).all(axis=-1), 0, 255)
    np.testing.assert_array_equal(decoded(path), on_white(rgb, alpha))


# what EXIF says of where the first row and the first column of the file are in the picture
ORIENTATIONS = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],  # first row on top, first column on the right
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),  # first row on the left, first column on top
    6: lambda upright: upright[:, ::-1].transpose(1, 0, 2),  # first row on the right, first column on top
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    8: lambda upright: upright[::-1].transpose(1, 0, 2),  # first row on the left, first column at the bottom
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["png", "webp", "tif", "compressed tif", "16 bits", "jpg"])
def test_pictures_stand_upright(tmp_path, orientation, kind):
    suffix = {"16 bits": "png"}.get(kind, kind.split()[-1])
    upright = in_grey(np.rint(SIXTEEN / 257)) if kind == "16 bits" else np.repeat(np.repeat(RGB, 8, 0), 8, 1)
    stored = ORIENTATIONS[orientation](SIXTEEN[..., None] if kind == "16 bits" else upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"compression": "tiff_lzw"} if kind == "compressed tif" else {}
    options |= {"lossless": True} if suffix == "webp" else {}
    options |= {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
    path = saved(tmp_path / f"a.{suffix}", Image.fromarray(stored.squeeze().copy()), exif=exif, **options)
    image = decoded(path)
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).max() <= (4 if suffix == "jpg" else 0)


@pytest.mark.filterwarnings("ignore:::PIL")
def test_damaged_exif_is_no_matter(tmp_path):
    """An entry of another type, with which Pillow can't write it again."""
    exif = Image.Exif()
    exif[0x0112], exif[0x011A] = 3, 72.0
    path = saved(tmp_path / "a.png", Image.fromarray(RGB), exif=exif)
    raw = path.read_bytes()
    start = raw.index(b"eXIf")
    end = raw.index(b"IDAT") - 8
    for place in range(start + 12, end):
        chunk = bytearray(raw[start:end])
        chunk[place - start] ^= 0x55
        path.write_bytes(raw[:start] + chunk + struct.pack(">I", zlib.crc32(chunk)) + raw[end + 4 :])
        image = decoded(path)
        assert any(np.array_equal(image, pixels) for pixels in (RGB, RGB[::-1, ::-1]))


def test_other_colour_spaces(tmp_path):
    cmyk = DRAWS.integers(0, 256, (4, 6, 4), dtype=np.uint8)
    path = saved(tmp_path / "cmyk.tif", Image.fromarray(cmyk, "CMYK"))
    ink = cmyk[..., :3] / 255
    of_paper = (1 - ink) * (1 - cmyk[..., 3:] / 255)
    assert np.abs(decoded(path) - 255 * of_paper).max() <= 1

    y, cb, cr = 90, 110, 150
    path = saved(tmp_path / "ycbcr.tif", Image.new("YCbCr", (6, 4), (y, cb, cr)))
    of_jfif = [y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128), y + 1.772 * (cb - 128)]
    assert np.abs(decoded(path) - of_jfif).max() <= 1

    # L* = 54.9, a* = 40, b* = 20 under D50: by the CIE's formula and Bradford's matrix sRGB's 199.5, 100.8, 99.3
    path = saved(tmp_path / "lab.tif", Image.frombytes("LAB", (6, 4), 24 * bytes([140, 40, 20])))
    assert np.abs(decoded(path) - [199.5, 100.8, 99.3]).max() <= 1


@pytest.mark.parametrize(
    ("name", "pixels", "message"),
    [
        ("a.tif", GREY.astype(np.float32) / 255, "floating-point numbers, .* scale them to 0 to 255 and save them as"),
        ("a.pgm", GREY.astype(np.float32) / 255, "floating-point numbers"),
        ("a.tif", GREY.astype(np.int32), "signed or 32-bit integers, which don't say what is white"),
    ],
)
def test_pixels_that_do_not_say_what_is_white_are_refused(tmp_path, name, pixels, message):
    path = saved(tmp_path / name, Image.fromarray(pixels))
    with pytest.raises(UserError, match=f"^loader: '{path}' has pixels that are {message}"):
        decode("loader", path)


def test_16_bits_whose_white_is_zero_and_12_bits_are_refused(tmp_path):
    path = saved(tmp_path / "white.tif", Image.fromarray(SIXTEEN), tiffinfo={262: 0})
    raw = saved(tmp_path / "a.tif", Image.fromarray(SIXTEEN)).read_bytes()
    entry = struct.pack("<HHI", 262, 3, 1)
    assert raw.count(entry + struct.pack("<I", 1)) == 1
    path.write_bytes(raw.replace(entry + struct.pack("<I", 1), entry + struct.pack("<I", 0)))
    entry = struct.pack("<HHI", 258, 3, 1)
    assert raw.count(entry + struct.pack("<I", 16)) == 1
    twelve = tmp_path / "twelve.tif"
    twelve.write_bytes(raw.replace(entry + struct.pack("<I", 16), entry + struct.pack("<I", 12)))
    for refused in (path, twelve):
        with pytest.raises(UserError, match=f"^loader: '{refused}' has pixels of 12 bits, or of 16 with 0 as white"):
            decode("loader", refused)


@pytest.mark.parametrize(("bits", "colour"), [(2, 0), (4, 0), (16, 0), (16, 2)])
def test_a_transparent_colour_that_pillow_gets_wrong_is_refused(tmp_path, bits, colour):
    channels = 3 if colour == 2 else 1
    rows = [bytes(6 * channels * bits // 8 + 1)] * 4 if bits < 16 else [bytes(12 * channels)] * 4
    path = png(tmp_path / "a.png", bits, colour, rows, transparent_colour(*[1] * channels))
    with pytest.raises(UserError, match=f"^loader: '{path}' has a transparent colour and other than 8 bits"):
        decode("loader", path)


@pytest.mark.parametrize("suffix", ["gif", "png", "tif", "webp"])
def test_several_frames_are_refused(tmp_path, suffix):
    frames = [Image.fromarray(255 - RGB), Image.fromarray(RGB[::-1].copy())]
    path = saved(tmp_path / f"a.{suffix}", Image.fromarray(RGB), save_all=True, append_images=frames)
    with pytest.raises(UserError, match=f"^loader: '{path}' has 3 frames, .* save each that you want"):
        decode("loader", path)


def test_a_photograph_with_a_preview_is_one_picture(tmp_path):
    """Cameras write JPEG files with a second, smaller one behind."""
    image, preview = (np.full((side, side, 3), level, np.uint8) for side, level in ((16, 200), (8, 20)))
    options = {"save_all": True, "append_images": [Image.fromarray(preview)]}
    path = saved(tmp_path / "a.jpg", Image.fromarray(image), format="MPO", **options)
    assert Image.open(path).n_frames == 2
    assert np.abs(decoded(path).astype(int) - image).max() <= 2


@pytest.mark.filterwarnings("ignore:::PIL")
@pytest.mark.parametrize("suffix", ["gif", "tif"])
def test_damaged_files_are_told(tmp_path, suffix):
    """Whatever byte is wrong, or wherever the file ends: a picture, or a sentence."""
    others = [Image.fromarray(255 - RGB)]
    path = saved(tmp_path / f"a.{suffix}", Image.fromarray(RGB), save_all=True, append_images=others)
    raw = path.read_bytes()
    wrong = [raw[:place] + bytes([255 - old]) + raw[place + 1 :] for place, old in enumerate(raw)]
    for content in wrong + [raw[:place] for place in range(len(raw))]:
        path.write_bytes(content)
        try:
            decode("loader", path)
        except UserError as error:
            assert str(error).startswith(f"loader: '{path}' ")
