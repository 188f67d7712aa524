"""PayPal's refusals, in the words of its own OpenAPI files."""

import secrets
from typing import Any

from flask import Response, jsonify

NAMES = {
    400: ("INVALID_REQUEST", "Request is not well-formed, syntactically incorrect, or violates schema."),
    401: (
        "AUTHENTICATION_FAILURE",
        "Authentication failed due to missing authorization header, or invalid authentication credentials.",
    ),
    404: ("RESOURCE_NOT_FOUND", "The specified resource does not exist."),
    409: ("RESOURCE_CONFLICT", "The server has detected a conflict while processing this request."),
    422: (
        "UNPROCESSABLE_ENTITY",
        "The requested action could not be performed, semantically incorrect, or failed business validation.",
    ),
}

ISSUES = {
    400: {
        "INVALID_PARAMETER_SYNTAX": "The value of a field does not conform to the expected format.",
        "INVALID_PARAMETER_VALUE": "A parameter value is not valid.",
        "INVALID_STRING_LENGTH": "The value of a field is either too short or too long",
        "INVALID_ARRAY_MAX_ITEMS": "The number of items in an array parameter is too large.",
        "INVALID_ARRAY_MIN_ITEMS": "The number of items in an array parameter is too small.",
        "MISSING_REQUIRED_PARAMETER": "A required parameter is missing.",
        "MALFORMED_REQUEST_JSON": "The request JSON is not well formed.",
        "NOT_SUPPORTED": "This field is not currently supported.",
        "PAYPAL_REQUEST_ID_REQUIRED": (
            "A PayPal-Request-Id is required if you are trying to process payment for an Order. Please specify a"
            " PayPal-Request-Id or Create the Order without a 'payment_source' specified."
        ),
    },
    404: {"INVALID_RESOURCE_ID": "Specified resource ID does not exist. Please check the resource ID and try again."},
    409: {
        "PREVIOUS_REQUEST_IN_PROGRESS": (
            "A previous request on this resource is currently in progress. Please wait for sometime and try again."
            " It is best to space out the initial and the subsequent request(s) to avoid receiving this error."
        ),
    },
    422: {
        "CANNOT_BE_ZERO_OR_NEGATIVE": (
            "Must be greater than zero. If the currency supports decimals, only two decimal place precision is"
            " supported."
        ),
        "DECIMAL_PRECISION": "If the currency supports decimals, only two decimal place precision is supported.",
        "INVALID_CURRENCY_CODE": (
            "Currency code is invalid or is not currently supported. Please refer"
            " https://developer.paypal.com/api/rest/reference/currency-codes/ for list of supported currency codes."
        ),
        "PAYEE_ACCOUNT_INVALID": (
            "Payee account specified is invalid. Please check the `payee.email_address` or `payee.merchant_id`"
            " specified and try again. Ensure that either  `payee.merchant_id` or `payee.email_address` is specified."
        ),
        "INVALID_JSON_POINTER_FORMAT": (
            "Path should be a valid JSON Pointer https://tools.ietf.org/html/rfc6901 that references a location within"
            " the request where the operation is performed."
        ),
        "NOT_PATCHABLE": "Cannot be patched.",
        "ORDER_ALREADY_COMPLETED": "The order cannot be patched after it is completed.",
        "ORDER_NOT_APPROVED": (
            "Payer has not yet approved the Order for payment. Please redirect the payer to the 'rel':'approve' url"
            " returned as part of the HATEOAS links within the Create Order call or provide a valid `payment_source` in"
            " the request."
        ),
        "ORDER_ALREADY_CAPTURED": ("Order already captured.If 'intent=CAPTURE' only one capture per order is allowed."),
        "INSTRUMENT_DECLINED": (
            "The instrument presented  was either declined by the processor or bank, or it can't be used for this"
            " payment."
        ),
        "PAYER_ACTION_REQUIRED": ("Transaction cannot complete successfully, instruct the buyer to return to PayPal."),
        "TRANSACTION_REFUSED": "The request was refused.",
        "CAPTURE_FULLY_REFUNDED": "The capture has already been fully refunded",
        "PENDING_CAPTURE": (
            "Cannot initiate a refund as the capture is pending. Capture is typically pending when the payer has funded"
            " the transaction using e-check/bank funded."
        ),
        "REFUND_AMOUNT_EXCEEDED": (
            "The refund amount must be less than or equal to the capture amount that has not yet been refunded."
        ),
        "REFUND_CAPTURE_CURRENCY_MISMATCH": "Refund must be in the same currency as the capture",
        "REFUND_FAILED_INSUFFICIENT_FUNDS": (
            "Capture could not be refunded due to insufficient funds. Please check to see if you have sufficient funds"
            " in your PayPal account or if the bank account linked to your PayPal account is verified and has"
            " sufficient funds."
        ),
        "REFUND_NOT_ALLOWED": "Capture cannot be refunded.",
        "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK": (
            "Refunds are not allowed on this capture due to a chargeback on the card or bank. Please contact the payee"
            " to resolve the chargeback."
        ),
        "REFUND_TIME_LIMIT_EXCEEDED": "You are over the time limit to perform a refund on this capture",
    },
}


class Problem(Exception):
    """A refusal on its way to the caller."""

    def __init__(self, status: int, issue: str = "", *, field: str = "", value: str = ""):
        super().__init__(issue)
        self.status = status
        self.issue = issue
        self.field = field
        self.value = value

    def body(self) -> dict[str, Any]:
        name, message = NAMES[self.status]
        body: dict[str, Any] = {"name": name, "message": message, "debug_id": secrets.token_hex(7), "links": []}
        if self.issue:
            detail = {"issue": self.issue, "description": ISSUES[self.status][self.issue]}
            if self.field:
                detail |= {"field": self.field, "location": "body"}
            if self.value:
                detail["value"] = self.value
            body["details"] = [detail]
        return body

    def answer(self) -> Response:
        response = jsonify(self.body())
        response.status_code = self.status
        return response
