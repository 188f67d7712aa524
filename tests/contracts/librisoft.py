"""The contracts with LIBRISOFT, by push and by pull, as judges of what is said on the wire, by either side."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.contracts.exchanges import Exchange

FILES = ("librisoft-v1.yaml", "librisoft-pull-v1.yaml")
DOCUMENTS = {name: yaml.safe_load(Path(settings.BASE_DIR, "librisoft_bridge", name).read_text()) for name in FILES}
REGISTRY: Registry[Any] = Registry().with_resources(
    (name, Resource.from_contents(document, default_specification=DRAFT202012)) for name, document in DOCUMENTS.items()
)


class Contract:
    """One of the files. `anywhere`: answers that any call may meet, though the file names them at one only."""

    def __init__(self, name: str, anywhere: dict[str, Any]) -> None:
        self.name = name
        self.paths: dict[str, Any] = DOCUMENTS[name]["paths"]
        self.anywhere = anywhere

    def breaches(self, exchange: Exchange) -> list[str]:
        """What the exchange says that the contract does not allow, one sentence each."""
        path, method = self._operation(exchange)
        operation = self.paths[path][method]
        wrong = self._request_breaches(exchange, operation) if exchange.by_us else []
        answers = operation["responses"] | self.anywhere
        if str(exchange.status) not in answers:
            return [*wrong, f"{method} {path} does not answer {exchange.status}"]
        answer = self._follow(answers[str(exchange.status)])
        return wrong + self._judge(answer["content"]["application/json"]["schema"], exchange.response, "answer")

    def judge(self, name: str, value: Any) -> list[str]:
        """What is wrong with a value, by one of the contract's schemas."""
        return self._judge({"$ref": f"#/components/schemas/{name}"}, value, name)

    def _operation(self, exchange: Exchange) -> tuple[str, str]:
        # The path without a parameter first: "changes" is not an order's number.
        for path in sorted(self.paths, key=lambda path: "{" in path):
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), exchange.path):
                return path, exchange.method.lower()
        raise AssertionError(f"{exchange.path} is not in the contract")

    def _request_breaches(self, exchange: Exchange, operation: dict[str, Any]) -> list[str]:
        wrong = [] if exchange.headers.get("authorization", "").startswith("Bearer ") else ["no bearer token"]
        for parameter in map(self._follow, operation.get("parameters", [])):
            name, place = parameter["name"], parameter["in"]
            given = {"query": exchange.query, "header": exchange.headers}.get(place, {}).get(name.lower())
            if given is not None:
                is_count = parameter["schema"]["type"] == "integer"
                value = int(given) if is_count and given.isdigit() else given
                wrong += self._judge(parameter["schema"], value, name)
            elif parameter.get("required") and place != "path":
                wrong.append(f"{name} is missing")
        body = operation.get("requestBody")
        if body is not None and (body["required"] or exchange.request is not None):
            wrong += self._judge(body["content"]["application/json"]["schema"], exchange.request, "body")
        return wrong

    def _follow(self, node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in node:
            return node
        _here, *names = node["$ref"].split("/")
        found = DOCUMENTS[self.name]
        for name in names:
            found = found[name]
        return found

    def _judge(self, schema: dict[str, Any], value: Any, what: str) -> list[str]:
        validator = _validator(json.dumps(_absolute(schema, self.name)))
        return [f"{what}: {error.json_path} {error.message[:200]}" for error in validator.iter_errors(value)]


@cache
def _validator(schema: str) -> OAS31Validator:
    return OAS31Validator(json.loads(schema), registry=REGISTRY, format_checker=oas31_format_checker)


def _absolute(node: Any, name: str) -> Any:
    """The schema with each reference into its own file made one that is good anywhere."""
    if isinstance(node, list):
        return [_absolute(item, name) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: name + value if key == "$ref" and value.startswith("#") else _absolute(value, name)
        for key, value in node.items()
    }


# LIBRISOFT checks its token and may be busy at every address; the contract says so where an order goes.
_handing_over = DOCUMENTS["librisoft-v1.yaml"]["paths"]["/v1/orders"]["post"]["responses"]
PUSH = Contract("librisoft-v1.yaml", {code: _handing_over[code] for code in ("401", "403", "422", "429", "503")})
PULL = Contract("librisoft-pull-v1.yaml", {})


def judge(name: str, value: Any) -> list[str]:
    return PUSH.judge(name, value)
