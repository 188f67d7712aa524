"""Covers, fetched to the shop's own storage: a reader's browser never asks anybody else for one.

An address in a feed is what somebody else wrote. It is followed only to the origins of COVER_ORIGINS, redirects
included; what comes back is measured, decoded, and written anew as a JPEG of our own, so that no byte of it stays.
"""

import time
from io import BytesIO
from urllib.parse import urljoin, urlsplit

import requests
from django.conf import settings
from PIL import Image, UnidentifiedImageError

LARGEST = 5 * 1024 * 1024
MOST_PIXELS = 40_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
# Twice what the widest page shows.
SIZE = (600, 900)
REDIRECTS = 3
# Seconds: to connect, between two bytes, in all.
TIMEOUT = (3.05, 10)
PATIENCE = 20


class Refused(Exception):
    """There is no cover to be had at this address: do not ask again."""


class Unknown(Exception):
    """Whether there is one could not be known now: ask again later."""


def fetch(address: str) -> bytes:
    """The cover at this address as a JPEG of at most 600 by 900. Raises Refused or Unknown."""
    with requests.Session() as session:
        session.trust_env = False
        for _ in range(REDIRECTS + 1):
            address = _allowed(address)
            try:
                with session.get(address, stream=True, timeout=TIMEOUT, allow_redirects=False) as response:
                    if not response.is_redirect:
                        return _as_jpeg(_body(response))
                    address = urljoin(address, response.headers["Location"])
            except requests.RequestException as error:
                raise Unknown(str(error)) from error
    raise Refused("too many redirects")


def _allowed(address: str) -> str:
    """The address, over https where that is what is allowed; many feeds still write http. Raises Refused."""
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise Refused(str(error)) from error
    # Rebuilt from its parts: no name and password before the host, which would be another than it seems.
    for scheme in ("https", parts.scheme):
        origin = f"{scheme}://{(parts.hostname or '').lower()}{port}"
        if origin in settings.COVER_ORIGINS:
            return f"{origin}{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    raise Refused("not one of COVER_ORIGINS")


def _body(response: requests.Response) -> bytes:
    if response.status_code >= 500 or response.status_code in (408, 425, 429):
        raise Unknown(f"status {response.status_code}")
    if response.status_code != 200:
        raise Refused(f"status {response.status_code}")
    if not response.headers.get("Content-Type", "").startswith("image/"):
        raise Refused("not an image")
    body, end = BytesIO(), time.monotonic() + PATIENCE
    for piece in response.iter_content(64 * 1024):
        body.write(piece)
        if body.tell() > LARGEST:
            raise Refused("more than 5 MB")
        if time.monotonic() > end:
            raise Unknown("too slow")
    return body.getvalue()


def _as_jpeg(body: bytes) -> bytes:
    try:
        with Image.open(BytesIO(body), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Refused("too many pixels")
            image.draft("RGB", SIZE)
            ours = image.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Refused(f"not an image: {error}") from error
    ours.thumbnail(SIZE)
    written = BytesIO()
    ours.save(written, "JPEG", quality=85, optimize=True)
    return written.getvalue()
