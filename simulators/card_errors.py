"""Stripe's refusals, in its own words."""

import secrets
from typing import Any

from flask import Response, jsonify


class Problem(Exception):
    """A refusal on its way to the caller."""

    def __init__(
        self, message: str, *, status: int = 400, type: str = "invalid_request_error", code: str = "", param: str = ""
    ):
        super().__init__(message)
        self.status = status
        self._error: dict[str, Any] = {"message": message, "type": type}
        if code:
            self._error["code"] = code
        if param:
            self._error["param"] = param

    def body(self) -> dict[str, Any]:
        return {"error": self._error}

    def answer(self) -> Response:
        response = jsonify(self.body())
        response.status_code = self.status
        response.headers["Request-Id"] = f"req_{secrets.token_hex(7)}"
        return response


def missing(kind: str, id: str, param: str) -> Problem:
    return Problem(f"No such {kind}: '{id}'", status=404, code="resource_missing", param=param)


def required(param: str) -> Problem:
    return Problem(f"Missing required param: {param}.", code="parameter_missing", param=param)


def invalid(message: str, param: str) -> Problem:
    return Problem(message, code="parameter_invalid_empty" if "empty" in message else "", param=param)
