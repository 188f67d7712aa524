"""PayPal's official OpenAPI files, where they lie next to the repository, as a judge of what is said on the wire."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

SPECS = Path(settings.BASE_DIR).parent / "shared" / "specs"
FILES = ("checkout_orders_v2.json", "payments_payment_v2.json", "notifications_webhooks_v1.json")


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as they went over the wire."""

    method: str
    path: str
    key: str
    request: Any
    status: int
    response: Any


class Contract:
    def __init__(self) -> None:
        self._documents = {name: json.loads((SPECS / name).read_text()) for name in FILES}
        self._registry: Registry[Any] = Registry().with_resources(
            (name, Resource.from_contents(document, default_specification=DRAFT4))
            for name, document in self._documents.items()
        )

    def breaches(self, exchange: Exchange, *, request_too: bool = True) -> list[str]:
        """What the exchange says that the contract does not allow; one sentence each."""
        found = self._operation(exchange)
        if found is None:
            return [f"{exchange.method} {exchange.path} is not in the contract"]
        name, pointer, operation = found
        wrong = []
        if request_too and "requestBody" in operation and exchange.request is not None:
            schema = f"{name}#{pointer}/requestBody/content/application~1json/schema"
            wrong += self._judge(schema, exchange.request, f"{exchange.method} {exchange.path} asks")
        if len(exchange.key) > 108:
            wrong.append("PayPal-Request-Id is too long")
        answer = str(exchange.status)
        if answer not in operation["responses"]:
            # Every operation may also answer "default", which is one of the errors that all share.
            schema = "checkout_orders_v2.json#/components/schemas/error_default"
        elif "content" in operation["responses"][answer]:
            schema = f"{name}#{pointer}/responses/{answer}/content/application~1json/schema"
        else:
            return wrong
        return wrong + self._judge(schema, exchange.response, f"{exchange.method} {exchange.path} {answer}")

    def _operation(self, exchange: Exchange) -> tuple[str, str, dict[str, Any]] | None:
        for name, document in self._documents.items():
            for template, operations in document["paths"].items():
                pattern = re.sub(r"\{[^}]+\}", "(?:[A-Z0-9]{1,36}|WH-[A-Z0-9-]+)", template)
                if re.fullmatch(pattern, exchange.path) and exchange.method.lower() in operations:
                    pointer = f"/paths/{template.replace('/', '~1')}/{exchange.method.lower()}"
                    return name, pointer, operations[exchange.method.lower()]
        return None

    def _judge(self, schema: str, instance: Any, where: str) -> list[str]:
        validator = OAS30Validator({"$ref": schema}, registry=self._registry)
        return [f"{where}: {error.json_path} {error.message[:200]}" for error in validator.iter_errors(instance)]
