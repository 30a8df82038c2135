"""A download ends with the whole right file, or with one sentence; what arrived is not lost."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from http.client import HTTPMessage
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest
from tests.server.weights.file_server import Served, serving

from sharp_xr.weights import download as module
from sharp_xr.weights.download import TRIES, DownloadError, Unreachable, download

CONTENT = random.Random(0).randbytes(300_000)


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(CONTENT) as served:
        yield served


class Pauses(list[float]):
    """Nobody waits in tests."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def get(served: Served, part: Path, **options: Any) -> None:
    options = {"report": lambda done, total: None, "pause": Pauses(), **options}
    download(served.url, part, options.pop("size", len(CONTENT)), **options)


def test_a_whole_file_arrives_and_leaves_nothing_beside_it(served: Served, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    get(served, tmp_path / "a", report=lambda done, total: seen.append((done, total)))
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert served.asked == [(None, None)]


def test_a_cut_connection_goes_on_where_it_ended(served: Served, tmp_path: Path) -> None:
    served.cuts = [1000, 0, 200_000]
    get(served, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT
    version = '"v1"'
    assert served.asked == [
        (None, None),
        ("bytes=1000-", version),
        ("bytes=1000-", version),
        ("bytes=201000-", version),
    ]


def test_a_later_call_goes_on_where_the_last_one_gave_up(served: Served, tmp_path: Path) -> None:
    served.cuts = [1000] + [0] * TRIES
    pauses = Pauses()
    with pytest.raises(Unreachable, match="the connection was cut"):
        get(served, tmp_path / "a", pause=pauses)
    assert pauses == [1.0, 1.0, 2.0, 4.0, 8.0]
    assert (tmp_path / "a").read_bytes() == CONTENT[:1000]
    served.cuts.clear()
    served.asked.clear()
    get(served, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert served.asked == [("bytes=1000-", '"v1"')]


def test_a_file_that_changed_meanwhile_is_taken_from_its_beginning(
    served: Served, tmp_path: Path
) -> None:
    served.cuts = [1000] + [0] * TRIES
    with pytest.raises(Unreachable):
        get(served, tmp_path / "a")
    served.cuts.clear()
    served.content, served.etag = CONTENT[::-1], '"v2"'
    get(served, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize(
    ("etag", "modified", "version"),
    [
        (None, "Tue, 02 Dec 2025 10:00:00 GMT", "Tue, 02 Dec 2025 10:00:00 GMT"),
        ('W/"v1"', "Tue, 02 Dec 2025 10:00:00 GMT", "Tue, 02 Dec 2025 10:00:00 GMT"),
        (None, None, None),
        ('W/"v1"', None, None),
    ],
)
def test_only_what_names_a_version_for_sure_is_gone_on_with(
    served: Served, tmp_path: Path, etag: str | None, modified: str | None, version: str | None
) -> None:
    served.etag, served.modified, served.cuts = etag, modified, [1000]
    get(served, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert served.asked[1] == (("bytes=1000-", version) if version else (None, None))


def test_a_server_that_cannot_go_on_sends_it_all_again(served: Served, tmp_path: Path) -> None:
    served.ranges, served.cuts = False, [1000]
    get(served, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_part_of_unknown_origin_is_not_gone_on_with(served: Served, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"something else")
    get(served, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


@pytest.mark.parametrize("length", [len(CONTENT) + 1, 10 * len(CONTENT)])
def test_a_part_that_is_too_long_is_begun_anew(served: Served, tmp_path: Path, length: int) -> None:
    (tmp_path / "a").write_bytes(bytes(length))
    (tmp_path / "a.etag").write_text('"v1"')
    get(served, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_server_that_is_busy_is_asked_again(served: Served, tmp_path: Path) -> None:
    served.status = [503, 500, 429, 416]
    get(served, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_file_that_is_not_there_is_asked_for_once(
    served: Served, tmp_path: Path, status: int
) -> None:
    served.status = [status]
    with pytest.raises(DownloadError, match=f"is not there: {status}"):
        get(served, tmp_path / "a")
    assert len(served.asked) == 1


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + 1])
def test_a_file_of_another_size_is_not_downloaded(
    served: Served, tmp_path: Path, size: int
) -> None:
    with pytest.raises(DownloadError, match=f"a file of 300000 bytes, wanted one of {size:,}"):
        get(served, tmp_path / "a", size=size)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("said", ["bytes 0-299999/300000", "bytes 1000-299999/*", "chickens", ""])
def test_a_piece_from_the_wrong_place_is_refused(served: Served, tmp_path: Path, said: str) -> None:
    served.cuts, served.says_range = [1000], said or " "
    with pytest.raises(DownloadError, match="the server goes on with"):
        get(served, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT[:1000]


def test_another_host_may_have_the_file(served: Served, tmp_path: Path) -> None:
    with serving(b"") as front:
        front.location = served.url.replace("127.0.0.1", "localhost")
        get(front, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "location",
    [
        "http://192.0.2.1/weights.pt",
        "http://localhost.example.com/weights.pt",
        "ftp://127.0.0.1/weights.pt",
        "file:///etc/passwd",
    ],
)
def test_a_way_without_encryption_is_not_gone(
    served: Served, tmp_path: Path, location: str
) -> None:
    served.location = location
    with pytest.raises(DownloadError, match=r"wanted https|not allowed"):
        get(served, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_https_does_not_lead_back_to_the_loopback() -> None:
    redirects = module._Redirects(plain=False)
    with pytest.raises(DownloadError, match="wanted https"):
        redirects.redirect_request(
            Request("https://example.com"),
            None,  # type: ignore[arg-type]
            302,
            "",
            HTTPMessage(),
            "http://127.0.0.1/weights.pt",
        )


def test_redirects_in_a_circle_end(served: Served, tmp_path: Path) -> None:
    served.location = served.url
    with pytest.raises(DownloadError):
        get(served, tmp_path / "a")
    assert len(served.asked) < 20


def test_without_a_network_it_ends_at_once(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*arguments: object, **options: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    pauses = Pauses()
    with pytest.raises(Unreachable, match="127.0.0.1 cannot be reached: .*not known"):
        get(served, tmp_path / "a", pause=pauses)
    assert pauses == []


def test_nobody_listening_is_unreachable_after_some_tries(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/a"
    pauses = Pauses()
    with pytest.raises(Unreachable, match="refused"):
        download(url, tmp_path / "a", 1, lambda done, total: None, pauses)
    assert len(pauses) == TRIES - 1


def test_a_silent_server_is_not_waited_for_for_ever(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a"
        with pytest.raises(Unreachable, match="timed out"):
            download(url, tmp_path / "a", 1, lambda done, total: None, Pauses())
