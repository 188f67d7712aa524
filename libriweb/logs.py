"""One line an event, with the id of the request that led to it, and without anybody's secret.

Everything is written with `logging`; structlog only lays out the lines. The id goes from the request into the tasks
it rang for, so that one search finds all that came of one click.
"""

import logging
import re
import time
from collections.abc import Callable, MutableMapping
from typing import Any
from uuid import uuid4

import structlog
from celery.signals import before_task_publish, setup_logging, task_postrun, task_prerun
from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars, merge_contextvars
from structlog.typing import Processor

log = logging.getLogger(__name__)

Line = MutableMapping[str, Any]

# What a line of RequestLog says; whatever else hangs on a record (Django's own carries the request) stays off.
REQUEST = ("method", "route", "status", "ms")
# A proxy's own id is kept when it is one: whatever else stands in a header has no business in a log.
_REQUEST_ID = re.compile(r"[0-9A-Za-z_.-]{8,64}")
_SECRETS = [
    # The buyer's own page, the subscription form, a link that sets a password, whatever was asked or typed after a ?
    (re.compile(r"(order/grouped/suborder/(?:registration/)?)[^/\s\"'?<]+"), r"\1…"),
    (re.compile(r"(mot-de-passe/)[^/\s\"']+/[^/\s\"']+"), r"\1…"),
    (re.compile(r"(/[^\s\"'?]*\?)[^\s\"'>)]+"), r"\1…"),
    # An e-mail address is somebody's; where it is served helps to see why a mail does not go.
    (re.compile(r"[^\s@\"'<>,:;()\[\]]+@(?=[\w-]+\.\w)"), "…@"),
]


def hide_secrets(_logger: object, _method: str, line: Line) -> Line:
    """The same line without what opens somebody's page or names him, tracebacks included."""
    for name, value in line.items():
        if isinstance(value, str):
            for secret, hidden in _SECRETS:
                value = secret.sub(hidden, value)
            line[name] = value
    return line


def layout(*, as_json: bool) -> dict[str, Any]:
    """A formatter for LOGGING: JSON for a machine that collects, key=value for somebody who reads."""
    chain: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(REQUEST),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    last: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "logger", "event"])
    )
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": chain,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    }


# The web ---------------------------------------------------------------------------------------


class RequestLog:
    """Give each request an id, which goes back in X-Request-ID, and write one line when it is answered.

    The line names the route, never the address: the address may be a secret.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        began = time.perf_counter()
        try:
            response = self.get_response(request)
            match = request.resolver_match
            log.info(
                "request",
                extra={
                    "method": request.method,
                    "route": match.route if match else None,
                    "status": response.status_code,
                    "ms": round(1000 * (time.perf_counter() - began)),
                },
            )
        finally:
            clear_contextvars()
        response["X-Request-ID"] = request_id
        return response


# The tasks -------------------------------------------------------------------------------------
# Celery offers its signals for this, and nothing else.


@setup_logging.connect
def _leave_logging_to_django(**_: object) -> None:
    """Celery sets up no logging of its own as long as somebody listens here."""


@before_task_publish.connect
def _send_id_along(headers: dict[str, Any], **_: object) -> None:
    if request_id := get_contextvars().get("request_id"):
        headers["request_id"] = request_id


@task_prerun.connect
def _go_on_under_that_id(task_id: str, task: Any, **_: object) -> None:
    if task.request.is_eager:  # still within the request
        return
    clear_contextvars()
    bind_contextvars(task=task.name, task_id=task_id)
    if request_id := task.request.get("request_id"):
        bind_contextvars(request_id=request_id)


@task_postrun.connect
def _forget_it(task: Any, **_: object) -> None:
    if not task.request.is_eager:
        clear_contextvars()
