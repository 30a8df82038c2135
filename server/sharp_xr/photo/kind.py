"""What kind of file came, by its first bytes."""

from __future__ import annotations

import struct

from sharp_xr.photo.photo import PhotoError

WANTED = "send a JPEG, PNG, WebP, HEIC or AVIF photo"
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}
REFUSED = (
    (b"GIF8", "a GIF picture"),
    (b"II*\0", "a TIFF or raw picture"),
    (b"MM\0*", "a TIFF or raw picture"),
    (b"BM", "a BMP picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1aE\xdf\xa3", "a video"),
)
"""First bytes of what people upload by mistake."""


def sniff(data: bytes) -> str:
    """ "jpeg", "png", "webp", "heic" or "avif", by content.

    Raises:
        PhotoError: anything else, said by name where we know it.
    """
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        return _sniff_iso(data)
    raise PhotoError(f"this file is {_name(data)}, not a photo that we take: {WANTED}")


def _sniff_iso(data: bytes) -> str:
    """HEIC, AVIF, films and Canon's raw files share one container (ISO/IEC 14496-12)."""
    (length,) = struct.unpack_from(">I", data)
    box = data[8 : min(length, 256)]
    brands = {box[:4]} | {box[at : at + 4] for at in range(8, len(box), 4)}
    if brands & AVIF_BRANDS:
        return "avif"
    if brands & HEIC_BRANDS:
        return "heic"
    what = "a Canon raw picture" if box[:4] == b"crx " else "a video"
    raise PhotoError(f"this file is {what}, not a photo that we take: {WANTED}")


def _name(data: bytes) -> str:
    if not data:
        return "empty"
    for magic, name in REFUSED:
        if data.startswith(magic):
            return name
    head = data[:512]
    if b"\0" not in head and sum(byte >= 32 or byte in b"\t\n\r" for byte in head) == len(head):
        return "text"
    return "of an unknown kind"
