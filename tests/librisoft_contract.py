"""The contract with LIBRISOFT as a judge of what is said on the wire, by either side."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from openapi_schema_validator import OAS31Validator, oas31_format_checker

CONTRACT = yaml.safe_load(Path(settings.BASE_DIR, "librisoft_bridge/librisoft-v1.yaml").read_text())
# The contract names them where an order is handed over; any call may meet them.
ANYWHERE = CONTRACT["paths"]["/v1/orders"]["post"]["responses"]


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as they went over the wire. Names of headers are in small letters."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    request: Any
    status: int
    response: Any


def breaches(exchange: Exchange, *, by_us: bool = True) -> list[str]:
    """What the exchange says that the contract does not allow, one sentence each; `by_us`: the request included."""
    path, method = _operation(exchange)
    operation = CONTRACT["paths"][path][method]
    wrong = _request_breaches(exchange, operation) if by_us else []
    answers = operation["responses"] | {code: ANYWHERE[code] for code in ("401", "403", "422", "429", "503")}
    if str(exchange.status) not in answers:
        return [*wrong, f"{method} {path} does not answer {exchange.status}"]
    answer = _follow(answers[str(exchange.status)])
    return wrong + _judge(answer["content"]["application/json"]["schema"], exchange.response, "answer")


def judge(name: str, value: Any) -> list[str]:
    """What is wrong with a value, by one of the contract's schemas."""
    return _judge({"$ref": f"#/components/schemas/{name}"}, value, name)


def _operation(exchange: Exchange) -> tuple[str, str]:
    # The path without a parameter first: "changes" is not an order's number.
    for path in sorted(CONTRACT["paths"], key=lambda path: "{" in path):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), exchange.path):
            return path, exchange.method.lower()
    raise AssertionError(f"{exchange.path} is not in the contract")


def _request_breaches(exchange: Exchange, operation: dict[str, Any]) -> list[str]:
    wrong = [] if exchange.headers.get("authorization", "").startswith("Bearer ") else ["no bearer token"]
    for parameter in operation["parameters"]:
        name, place = parameter["name"], parameter["in"]
        given = {"query": exchange.query, "header": exchange.headers}.get(place, {}).get(name.lower())
        if given is not None:
            is_count = parameter["schema"]["type"] == "integer"
            wrong += _judge(parameter["schema"], int(given) if is_count and given.isdigit() else given, name)
        elif parameter.get("required") and place != "path":
            wrong.append(f"{name} is missing")
    if "requestBody" in operation:
        wrong += _judge(operation["requestBody"]["content"]["application/json"]["schema"], exchange.request, "body")
    return wrong


def _follow(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    _here, *names = node["$ref"].split("/")
    found = CONTRACT
    for name in names:
        found = found[name]
    return found


def _judge(schema: dict[str, Any], value: Any, what: str) -> list[str]:
    whole = {**schema, "components": CONTRACT["components"]}
    errors = OAS31Validator(whole, format_checker=oas31_format_checker).iter_errors(value)
    return [f"{what}: {error.json_path} {error.message[:200]}" for error in errors]
