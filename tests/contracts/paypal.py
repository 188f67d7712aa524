"""PayPal's official OpenAPI files, where they lie next to the repository, as a judge of what is said on the wire."""

import json
import re
from functools import cache
from typing import Any

from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from tests.contracts.exchanges import SPECS, Exchange

FILES = ("checkout_orders_v2.json", "payments_payment_v2.json", "notifications_webhooks_v1.json")
# How the User-Agent of our client begins.
CLIENT = "PayPalSDK/"
LONGEST_KEY = 108
# What our client calls and no file next to the repository describes.
UNJUDGED = {
    "/v1/oauth2/token": "no OpenAPI file of PayPal’s describes it",
    "/v1/reporting/transactions": "reporting_transactions_v1.json is not next to the repository",
}


class Contract:
    def __init__(self) -> None:
        self._documents = {name: json.loads((SPECS / name).read_text()) for name in FILES}
        self._registry: Registry[Any] = Registry().with_resources(
            (name, Resource.from_contents(document, default_specification=DRAFT4))
            for name, document in self._documents.items()
        )
        self._validators: dict[str, OAS30Validator] = {}

    def breaches(self, exchange: Exchange) -> list[str]:
        """What the exchange says that the contract does not allow; one sentence each."""
        found = self._operation(exchange)
        if found is None:
            return [f"{exchange.line} is not in the contract"]
        name, pointer, operation = found
        what = exchange.line
        wrong = []
        if exchange.by_us:
            if not exchange.headers.get("authorization", "").startswith("Bearer "):
                wrong.append(f"{what}: no bearer token")
            if len(exchange.headers.get("paypal-request-id", "")) > LONGEST_KEY:
                wrong.append(f"{what}: PayPal-Request-Id is too long")
            if "requestBody" in operation and exchange.request is not None:
                schema = f"{name}#{pointer}/requestBody/content/application~1json/schema"
                wrong += self._judge(schema, exchange.request, f"{what} asks")
        answer = str(exchange.status)
        if answer not in operation["responses"]:
            # Every operation may also answer "default", which is one of the errors that all share.
            schema = "checkout_orders_v2.json#/components/schemas/error_default"
        elif "content" in operation["responses"][answer]:
            schema = f"{name}#{pointer}/responses/{answer}/content/application~1json/schema"
        else:
            return wrong
        return wrong + self._judge(schema, exchange.response, f"{what} {answer}")

    def event_breaches(self, event: Any) -> list[str]:
        """What is wrong with a webhook."""
        schema = "notifications_webhooks_v1.json#/components/schemas/event"
        return self._judge(schema, event, f"webhook {event.get('event_type')}")

    def _operation(self, exchange: Exchange) -> tuple[str, str, dict[str, Any]] | None:
        for name, document in self._documents.items():
            for template, operations in document["paths"].items():
                pattern = re.sub(r"\{[^}]+\}", "(?:[A-Z0-9]{1,36}|WH-[A-Z0-9-]+)", template)
                if re.fullmatch(pattern, exchange.path) and exchange.method.lower() in operations:
                    pointer = f"/paths/{template.replace('/', '~1')}/{exchange.method.lower()}"
                    return name, pointer, operations[exchange.method.lower()]
        return None

    def _judge(self, schema: str, instance: Any, where: str) -> list[str]:
        if schema not in self._validators:
            self._validators[schema] = OAS30Validator({"$ref": schema}, registry=self._registry)
        errors = self._validators[schema].iter_errors(instance)
        return [f"{where}: {error.json_path} {error.message[:200]}" for error in errors]


@cache
def contract() -> Contract:
    """Read once: the files are large."""
    return Contract()
