"""Bytes of an image file in, upright pixels and a focal length out.

    bytes --sniff--> format --header--> size (limits) --decode--> mode --sRGB, 3 channels--> upright

What a photo is, is read from its content, never from its name. Everything that SHARP's own
pre-processing decides (apple/ml-sharp, ``utils/io.py``) is kept, save for four things in which a
user would call its result wrong: all eight EXIF orientations are applied (SHARP: three), an
embedded colour profile is converted to sRGB (SHARP: ignored), transparent pixels are laid on white
(SHARP: alpha is dropped, which uncovers whatever colour the editor left there), and focal lengths
that no lens has are ignored.
"""

from sharp_xr.photo.decoding import MAX_BYTES
from sharp_xr.photo.exif import DIAGONAL_35MM
from sharp_xr.photo.photo import Photo, PhotoError, thumbnail
from sharp_xr.photo.reading import read_photo

__all__ = ["DIAGONAL_35MM", "MAX_BYTES", "Photo", "PhotoError", "read_photo", "thumbnail"]
