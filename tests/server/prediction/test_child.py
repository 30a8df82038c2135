"""Bytes that crash a decoder crash the child and nothing else."""

from __future__ import annotations

import asyncio

from tests.server.image_files import TURNED_HEIC, encoded, quadrants
from tests.server.prediction import predictors

from sharp_xr.photo import PhotoError
from sharp_xr.prediction import PredictionWorker


def test_a_heic_that_crashes_its_decoder_is_refused_in_a_sentence() -> None:
    """Found by random bytes: pi-heif 1.4.0 dies of a metadata type that is not UTF-8. Once it does
    not, the photo is taken or refused as any other."""
    heic = TURNED_HEIC.read_bytes()
    poison = heic.replace(b"\0\x02\0\0Exif\0", b"\0\x02\0\0E\xe4if\0", 1)
    assert poison != heic

    async def try_both() -> None:
        worker = PredictionWorker("obedient", load=predictors.obedient, warm=False)
        try:
            try:
                await worker.predict(poison)
            except PhotoError as error:
                assert "ended the process" in str(error) or "broken" in str(error)
            photo = await worker.predict(encoded(quadrants(), "PNG"))
            assert (photo.width, photo.height) == (64, 48)
        finally:
            await worker.close()

    asyncio.run(asyncio.wait_for(try_both(), 60))
