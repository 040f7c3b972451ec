"""Small image files for tests."""

import io
from typing import Any

from PIL import Image


def image_file(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """The image as a file."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()
