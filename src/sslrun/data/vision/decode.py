"""Decode images to uint8 arrays with a given number of channels."""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from sslrun.config.errors import DataError
from sslrun.data.vision import resize  # noqa: F401  switches OpenCV's threads off

EXTENSIONS = frozenset([
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".tga", ".ppm", ".pgm",
    ".pbm", ".jp2", ".npy",
])  # fmt: skip
"""Lower-case suffixes of files that `Decoder` reads."""
NPY = b"\x93NUMPY"
PNG = b"\x89PNG"
TIFF = (b"II*\x00", b"MM\x00*")
PNG_DEPTH_BYTE = 24
DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
"""PIL modes with more than 8 bits per channel."""
UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x.swapaxes(0, 1), 2),
    8: np.rot90,
}
"""Inverse of each EXIF orientation."""


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """Decodes the images of a dataset.

    Attributes:
        channels: of the result.
        intensity_range: input range mapped to 0 to 255; None uses the full range of the file's integer type.
    """

    channels: int
    intensity_range: tuple[float, float] | None = None

    def __call__(self, encoded: bytes | Path, *, name: str) -> np.ndarray:
        """Decode a file or its bytes.

        Returns:
            (H, W, channels) uint8.

        Raises:
            DataError: unreadable, truncated, or channels cannot be converted; the message starts with `name`.
        """
        try:
            data = encoded.read_bytes() if isinstance(encoded, Path) else encoded
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PIL on odd EXIF blocks and palettes: harmless
                values = _values(data, channels=self.channels)
        except UnidentifiedImageError as error:  # its own message contains a memory address
            raise DataError(f"{name}: no image, or of a format that PIL does not know") from error
        except Exception as error:  # PIL's plugins raise OSError, SyntaxError, ValueError, struct.error and others
            raise DataError(f"{name}: {_first_line(error)}") from error
        return self.from_array(values, name=name)

    def from_array(self, values: np.ndarray, *, name: str) -> np.ndarray:
        """The same from decoded values (H, W) or (H, W, C) of any dtype."""
        values = values[..., None] if values.ndim == 2 else values
        if values.ndim != 3 or 0 in values.shape:
            raise DataError(f"{name}: an array of shape {values.shape} is no image; (H, W) or (H, W, C) is")
        return self._with_channels(self._to_uint8(values, name=name), name=name)

    def _to_uint8(self, values: np.ndarray, *, name: str) -> np.ndarray:
        if values.dtype == np.bool_:
            return values.view(np.uint8) * np.uint8(255)
        if values.dtype == np.uint8 and self.intensity_range is None:
            return values
        if self.intensity_range is not None:
            low, high = self.intensity_range
        elif np.issubdtype(values.dtype, np.integer) and values.dtype.itemsize <= 2:  # wider types rarely fill it
            low, high = np.iinfo(values.dtype).min, np.iinfo(values.dtype).max
        else:
            raise DataError(f"{name}: {values.dtype} values have no full range; say dataset.intensity_range=[low,high]")
        scaled = (values.astype(np.float32) - low) * (255 / (high - low))
        return np.clip(np.nan_to_num(scaled).round(), 0, 255).astype(np.uint8)

    def _with_channels(self, image: np.ndarray, *, name: str) -> np.ndarray:
        found = image.shape[2]
        if found == self.channels:
            return np.ascontiguousarray(image)
        if found == 1 and self.channels == 3:
            return np.repeat(image, 3, axis=2)
        if found == 3 and self.channels == 1:
            return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)[..., None]
        raise DataError(
            f"{name}: {found} channels do not convert to {self.channels}; say dataset.channels={found}, or choose "
            f"an encoder for {found}, if encoder= is one for {self.channels}"
        )


def _values(data: bytes, *, channels: int) -> np.ndarray:
    """(H, W) or (H, W, C) in RGB order and the file's own dtype; alpha is dropped unless `channels` is 4."""
    if data.startswith(NPY):
        return np.load(io.BytesIO(data), allow_pickle=False)
    if data.startswith(TIFF):
        deep = _with_opencv(data, channels=channels)
        if deep is not None and (deep.dtype != np.uint8 or (deep.ndim == 3 and deep.shape[2] > 4)):
            return deep
    with Image.open(io.BytesIO(data)) as image:
        image.load()  # a truncated file fails here
        if data.startswith(PNG) and data[PNG_DEPTH_BYTE] == 16:
            deep = _with_opencv(data, channels=channels)
            if deep is not None:
                return _upright(deep, image)
        values = _with_pil(ImageOps.exif_transpose(image), channels=channels)
        # PIL reads 16-bit PGM as 32-bit
        return values.astype(np.uint16) if image.format == "PPM" and values.dtype == np.int32 else values


def _upright(values: np.ndarray, image: Image.Image) -> np.ndarray:
    """Apply the EXIF orientation to (H, W) or (H, W, C); OpenCV does not with IMREAD_UNCHANGED."""
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    return UPRIGHT[orientation](values) if orientation in UPRIGHT else values


def _with_pil(image: Image.Image, *, channels: int) -> np.ndarray:
    if image.mode in DEEP_MODES or image.mode in ("L", "RGB") or (channels == 4 and len(image.getbands()) == 4):
        return np.asarray(image)
    return np.asarray(image.convert("L" if image.mode in ("1", "LA", "La") else "RGB"))


def _with_opencv(data: bytes, *, channels: int) -> np.ndarray | None:
    """A PNG or TIFF with all bits and channels (PIL reduces colour to 8 bits); None if OpenCV cannot read it."""
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim == 2 or values.shape[2] not in (3, 4):
        return values
    order = [2, 1, 0, 3] if channels == 4 and values.shape[2] == 4 else [2, 1, 0]  # from BGR or BGRA
    return values[..., order]


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
