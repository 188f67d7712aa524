"""How PayPal signs its webhooks: SHA256withRSA over `transmission id|time|webhook id|CRC32 of the raw body`."""

import base64
import json
import secrets
import uuid
import zlib
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_ALGORITHM = "SHA256withRSA"


def new_key() -> str:
    """A private key in PEM, to be kept with the state."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


class Signature:
    def __init__(self, pem: str, webhook_id: str, cert_url: str):
        key = serialization.load_pem_private_key(pem.encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self._key = key
        self._webhook_id = webhook_id
        self._cert_url = cert_url

    def sign(self, body: bytes, now: float) -> dict[str, str]:
        """The five headers that go with a body."""
        time = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        while True:
            transmission = str(uuid.uuid4())
            message = _message(transmission, time, self._webhook_id, body)
            signature = base64.b64encode(self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()
            # PayPal's own OpenAPI wants both to begin with a letter or a digit, and not to be digits only.
            if signature[0].isalnum():
                break
        return {
            "PAYPAL-AUTH-ALGO": _ALGORITHM,
            "PAYPAL-CERT-URL": self._cert_url,
            "PAYPAL-TRANSMISSION-ID": transmission,
            "PAYPAL-TRANSMISSION-SIG": signature,
            "PAYPAL-TRANSMISSION-TIME": time,
        }

    def proves(self, request_body: bytes) -> bool:
        """Whether a verify-webhook-signature request shows one of our own webhooks, byte for byte."""
        asked = json.loads(request_body)
        message = _message(
            asked["transmission_id"],
            asked["transmission_time"],
            asked["webhook_id"],
            member(request_body.decode(), "webhook_event").encode(),
        )
        try:
            signature = base64.b64decode(asked["transmission_sig"], validate=True)
            self._key.public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            return False
        return (asked["auth_algo"], asked["webhook_id"]) == (_ALGORITHM, self._webhook_id)


def spoil(headers: dict[str, str]) -> dict[str, str]:
    """The same headers with a signature that proves nothing."""
    return headers | {"PAYPAL-TRANSMISSION-SIG": base64.b64encode(b"A" + secrets.token_bytes(255)).decode()}


def member(text: str, name: str) -> str:
    """The raw text of one member of a JSON object, untouched: what was signed is bytes, not a value."""
    decoder = json.JSONDecoder()
    at = text.index("{") + 1
    while True:
        key, at = decoder.raw_decode(text, _skip(text, at))
        start = _skip(text, at)
        _, at = decoder.raw_decode(text, start)
        if key == name:
            return text[start:at]
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            raise KeyError(name)


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n", ",", ":"):
        at += 1
    return at


def _message(transmission: str, time: str, webhook_id: str, body: bytes) -> bytes:
    return f"{transmission}|{time}|{webhook_id}|{zlib.crc32(body)}".encode()
