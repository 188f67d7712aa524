"""One request to PayPal and its answer, through the generic `Api` class of paypalrestsdk.

That package is no longer maintained. Nothing of it is trusted here but the way it authenticates: `PayPalApi`
replaces its transport, its token cache and its reading of answers, for the reasons its comments give. Should the
package break one day, `PayPalApi.call` on top of `requests` is all that has to be rewritten.
"""

import json
import logging
import threading
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import paypalrestsdk
import requests

from grouped_orders.payments.base import Refused, Unknown

log = logging.getLogger(__name__)

# Seconds to connect, and to wait for the answer: a page that needs two of them must answer within 25.
TIMEOUT = (4, 10)
# A token is renewed this long before it ends, so that none dies on its way.
TOKEN_MARGIN = 300

# The payer can mend these himself, on the same page: another card, another account, his approval.
_BY_PAYER = {
    "INSTRUMENT_DECLINED",
    "PAYER_ACTION_REQUIRED",
    "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING",
    "ORDER_NOT_APPROVED",
}
# A refusal by its status, and yet PayPal is still at it.
_NOT_YET = {"ORDER_COMPLETION_IN_PROGRESS", "PREVIOUS_REQUEST_IN_PROGRESS"}

Json = dict[str, Any]


class _Unauthorized(Exception):
    """PayPal does not take our token, or our credentials."""


class PayPalApi(paypalrestsdk.Api):  # type: ignore[misc]  # the package has no types
    """The package's client, made safe to use with money. `call` raises Refused or Unknown, and nothing else."""

    def __init__(self, *, url: str, client_id: str, client_secret: str, timeout: tuple[float, float] = TIMEOUT) -> None:
        # mode="live" because any other writes tokens and bodies to the log; a trailing slash doubles the path.
        super().__init__(mode="live", endpoint=url.rstrip("/"), client_id=client_id, client_secret=client_secret)
        self.timeout = timeout
        self.token_hash: Json | None = None
        self._token_until = 0.0
        self._token_lock = threading.Lock()
        self._session = requests.Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def call(self, method: str, path: str, body: Json | bytes | None = None, *, key: str = "") -> Json:
        """One request and its JSON object. `key` makes it happen once, however often it is sent."""
        headers = {"Prefer": "return=representation"} | ({"PayPal-Request-Id": key} if key else {})
        # Not the package's join_url, which takes the path for a regular expression.
        return self.request(f"{self.endpoint}{path}", method, body, headers)

    def request(
        self,
        url: str,
        method: str,
        body: Json | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        refresh_token: None = None,
    ) -> Json:
        """`bytes` go out as they are: webhooks are proved byte for byte, and the package would write them anew."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        for _ in range(2):  # a token may be revoked early: one new token, not one after another for ever
            try:
                token = self.get_token_hash()
            except _Unauthorized:
                break
            try:
                return self.http_call(url, method, data=data, headers={**self._bearer(token), **(headers or {})})
            except _Unauthorized:
                self._forget(token)
        # Not Refused: a call whose first answer was lost may well have moved the money before our access ended.
        log.warning("PayPal does not accept our credentials")
        raise Unknown("AUTHENTICATION_FAILURE")

    def get_token_hash(self, *args: Any, **kwargs: Any) -> Json:
        """The token in use, or a new one. Headers of the call it is for never go with it: they are not for OAuth."""
        with self._token_lock:
            if self.token_hash is None or time.monotonic() >= self._token_until:
                self.token_hash = None
                token = self.http_call(
                    f"{self.endpoint}/v1/oauth2/token",
                    "POST",
                    data=b"grant_type=client_credentials",
                    headers={
                        "Authorization": f"Basic {self.basic_auth()}",
                        "Content-Type": "application/x-www-form-urlencoded",
                        "Accept": "application/json",
                        "User-Agent": self.user_agent,
                    },
                )
                try:
                    token["access_token"], lifetime = str(token["access_token"]), float(token["expires_in"])
                except (KeyError, TypeError, ValueError) as error:
                    raise Unknown("PayPal gave no token") from error
                self.token_hash = token
                self._token_until = time.monotonic() + lifetime - min(TOKEN_MARGIN, lifetime / 2)
            return self.token_hash

    def http_call(self, url: str, method: str, **kwargs: Any) -> Json:
        """Send once, follow nothing, and read the answer."""
        try:
            response = self._session.request(
                method, url, proxies=self.proxies, timeout=self.timeout, allow_redirects=False, **kwargs
            )
        except requests.RequestException as error:
            raise Unknown(type(error).__name__) from error
        return self.handle_response(response, response.content)

    def handle_response(self, response: requests.Response, content: bytes) -> Json:
        """Every answer but a readable 2xx raises."""
        debug_id = response.headers.get("PayPal-Debug-Id", "")
        try:
            body = json.loads(content) if content else {}
        except ValueError:
            body = None
        if not response.ok:
            log.info("PayPal answered %d (debug id %s)", response.status_code, debug_id or "none")
        if response.status_code == 401:
            raise _Unauthorized
        if not isinstance(body, dict):
            raise Unknown(f"HTTP {response.status_code} that nobody can read")
        if 200 <= response.status_code <= 299:
            return body
        if response.status_code in (400, 404, 422) and isinstance(body.get("name"), str):
            refusal = _refusal(body, debug_id)
            raise Unknown(refusal.code) if refusal.code in _NOT_YET else refusal
        raise Unknown(f"HTTP {response.status_code}")

    def _bearer(self, token: Json) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {token['access_token']}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": self.user_agent,
        }

    def _forget(self, token: Json) -> None:
        with self._token_lock:
            if self.token_hash is token:
                self.token_hash = None


def _refusal(body: Json, debug_id: str) -> Refused:
    details = body.get("details")
    issues = [
        detail["issue"]
        for detail in (details if isinstance(details, list) else [])
        if isinstance(detail, dict) and isinstance(detail.get("issue"), str)
    ]
    return Refused(
        issues[0] if issues else body["name"],
        debug_id=str(body.get("debug_id") or debug_id)[:60],
        by_payer=not _BY_PAYER.isdisjoint(issues),
    )
