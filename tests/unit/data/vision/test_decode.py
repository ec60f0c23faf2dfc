import io

import cv2
import numpy as np
import pytest
from PIL import Image

from sslrun.config.errors import DataError
from sslrun.data.vision.decode import Decoder

RGB = Decoder(channels=3)
GREY = Decoder(channels=1)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def with_opencv(values, ending):
    return cv2.imencode(ending, values)[1].tobytes()


def npy(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def flat(colour, mode="RGB", size=(6, 4)):
    return Image.new(mode, size, colour)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "TGA"])
def test_colour_comes_in_rgb_order(kind):
    image = RGB(encoded(flat((10, 20, 30)), kind), name="x")
    assert image.shape == (4, 6, 3) and image.dtype == np.uint8
    assert image[0, 0].tolist() == [10, 20, 30]


def test_lossy_kinds_come_close():
    for kind in ("JPEG", "WEBP"):
        np.testing.assert_allclose(RGB(encoded(flat((200, 100, 50)), kind), name="x")[0, 0], [200, 100, 50], atol=6)


def test_grey_becomes_colour_and_colour_grey():
    assert RGB(encoded(flat(77, "L"), "PNG"), name="x")[1, 1].tolist() == [77, 77, 77]
    # ITU-R 601: .299 * 100 + .587 * 50 + .114 * 200 = 82.05
    assert GREY(encoded(flat((100, 50, 200)), "PNG"), name="x")[0, 0].tolist() == [82]


def test_alpha_is_dropped():
    assert RGB(encoded(flat((1, 2, 3, 40), "RGBA"), "PNG"), name="x")[0, 0].tolist() == [1, 2, 3]
    assert GREY(encoded(flat((9, 40), "LA"), "PNG"), name="x")[0, 0].tolist() == [9]


def test_four_channels_are_kept_where_asked():
    four = Decoder(channels=4)(encoded(flat((1, 2, 3, 40), "RGBA"), "PNG"), name="x")
    assert four[0, 0].tolist() == [1, 2, 3, 40]


def test_palette_gif_and_one_bit():
    gif = encoded(flat((255, 0, 0)).convert("P", palette=Image.Palette.ADAPTIVE), "GIF")
    assert RGB(gif, name="x")[0, 0].tolist() == [255, 0, 0]
    assert GREY(encoded(flat(1, "1"), "PNG"), name="x")[0, 0].tolist() == [255]


def test_cmyk_jpeg_is_converted():
    image = RGB(encoded(flat((0, 255, 255, 0), "CMYK"), "JPEG", quality=100), name="x")
    np.testing.assert_allclose(image[0, 0], [255, 0, 0], atol=4)


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by a quarter
    assert RGB(encoded(flat((5, 5, 5)), "JPEG", exif=exif), name="x").shape == (6, 4, 3)


@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_16_bit_grey_keeps_its_range(ending):
    values = np.array([[0, 257, 32896, 65535]], np.uint16)  # 257 * k is k of 255
    assert GREY(with_opencv(values, ending), name="x")[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_16_bit_colour_keeps_its_range_and_order(ending):
    blue_green_red = np.full((2, 2, 3), (257 * 30, 257 * 20, 257 * 10), np.uint16)
    assert RGB(with_opencv(blue_green_red, ending), name="x")[0, 0].tolist() == [10, 20, 30]


def test_intensity_range_maps_onto_0_to_255():
    window = Decoder(channels=1, intensity_range=(1000, 2000))
    values = np.array([[0, 1000, 1500, 2000, 9000]], np.uint16)
    assert window(with_opencv(values, ".png"), name="x")[0, :, 0].tolist() == [0, 0, 128, 255, 255]
    floats = Decoder(channels=1, intensity_range=(-1, 1))
    assert floats(npy(np.array([[-1.0, 0.0, 1.0, np.nan]])), name="x")[0, :, 0].tolist() == [0, 128, 255, 0]


def test_arrays_of_any_channels():
    values = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
    np.testing.assert_array_equal(Decoder(channels=5)(npy(values), name="x"), values)
    assert GREY(npy(values[..., 0]), name="x").shape == (2, 3, 1)


def test_a_path_is_read(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(flat((1, 2, 3)), "PNG"))
    assert RGB(tmp_path / "a.png", name="a").shape == (4, 6, 3)
    with pytest.raises(DataError, match=r"^b: .*No such file"):
        RGB(tmp_path / "b.png", name="b")


def noise():
    return np.random.default_rng(0).integers(0, 65536, (64, 64), np.uint16)


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.fromarray(noise().astype(np.uint8)), "JPEG"),
        encoded(Image.fromarray(noise().astype(np.uint8)), "PNG"),
        with_opencv(noise(), ".png"),
        with_opencv(np.dstack([noise()] * 3), ".png"),
        with_opencv(noise(), ".tiff"),
        npy(noise()),
    ],
    ids=["jpeg", "png", "png16", "png16 colour", "tiff16", "npy"],
)
def test_a_truncated_file_fails(data):
    GREY(data, name="x")
    with pytest.raises(DataError, match=r"^x: "):
        GREY(data[: len(data) // 2], name="x")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no image, or of a format"),
        (b"no image at all", "no image, or of a format"),
        (npy(np.zeros((2, 2, 5), np.uint8)), "5 channels do not convert to 3; say dataset.channels=5"),
        (npy(np.zeros((2, 2), np.float32)), r"float32 values have no full range; say dataset.intensity_range"),
        (npy(np.zeros(4, np.uint8)), r"an array of shape \(4,\) is no image"),
        (npy(np.array([{}], dtype=object)), "allow_pickle"),
    ],
)
def test_what_cannot_be_read_says_why(data, message):
    with pytest.raises(DataError, match=message):
        RGB(data, name="x")


@pytest.mark.parametrize("written", ["PIL", "OpenCV"])
def test_16_bits_of_a_pgm(written):
    ramp = np.linspace(0, 65535, 24).round().astype(np.uint16).reshape(4, 6)
    data = encoded(Image.fromarray(ramp), "PPM") if written == "PIL" else with_opencv(ramp, ".pgm")
    np.testing.assert_allclose(GREY(data, name="x")[..., 0], ramp / 257, atol=0.51)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_undone_with_16_bits_as_with_8(orientation):
    values = np.arange(24, dtype=np.uint8).reshape(4, 6)
    exif = Image.Exif()
    exif[0x0112] = orientation
    shallow = encoded(Image.fromarray(values), "PNG", exif=exif)
    deep = encoded(Image.fromarray(values.astype(np.uint16) * 257), "PNG", exif=exif)
    np.testing.assert_array_equal(GREY(deep, name="x"), GREY(shallow, name="x"))


def test_32_bit_integers_need_a_range():
    values = npy(np.full((4, 6), 500, np.int32))
    with pytest.raises(DataError, match=r"x: int32 values have no full range; say dataset.intensity_range"):
        GREY(values, name="x")
    assert Decoder(channels=1, intensity_range=(0, 1000))(values, name="x")[0, 0, 0] == 128
