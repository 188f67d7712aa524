"""A whole shop as real processes: one PostgreSQL, one Redis, two webs, three workers, one clock.

The outside world (card provider, LIBRISOFT, mail server) is simulated in the test's own process.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import requests

from dev.cluster import Cluster, free_port
from dev.processes import die_with_parent
from simulators import card, inbox, librisoft
from simulators.stage import Stage
from tests.deployment import compose
from tests.simulation import CARD, Simulator, served
from tests.simulation_inbox import Inbox

ROOT = Path(__file__).parent.parent.parent
WEBS = ("web1", "web2")
WORKERS = ("worker1", "worker2", "worker3")
LIBRISOFT_TOKEN = "jeton"
# Seconds; the lease of a mail is ten times this.
EMAIL_TIMEOUT = 3


def wait_until(happened: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


class Fleet:
    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        stack.callback(self._end)
        self.cluster = Cluster(folder / "postgresql", durable=False)
        self.cluster.start()
        stack.callback(self.cluster.stop)
        self.redis_port, self.smtp_port = free_port(), free_port()
        self.web_ports = {name: free_port() for name in WEBS}
        self.start_redis()

        stage = Stage("card")
        provider = card.Stripe(stage, CARD)
        stack.callback(provider.webhooks.stop)
        self.card = Simulator(stack.enter_context(served(stage.app)), stage, provider.webhooks)
        stage = librisoft.build(Namespace(state=None, token=LIBRISOFT_TOKEN))
        self.librisoft = stack.enter_context(served(stage.app))
        stage = inbox.build()
        stack.callback(inbox.listen(stage, self.smtp_port).stop)
        self.inbox = Inbox(stack.enter_context(served(stage.app)), self.smtp_port)

        self.environment = self._environment()
        self.story = self._tell_story()
        for name in WEBS:
            self.start(name)
        for name in (*WORKERS, "beat"):
            self.start(name)
        for name in WEBS:
            wait_until(lambda name=name: self.is_ready(name))
        wait_until(lambda: self.rows("SELECT 1 FROM libriweb_heartbeat"))

    # Processes ---------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        self._running[name] = self._spawn(name, self._command(name))

    def kill(self, *names: str) -> None:
        """`kill -9`, all their children included."""
        for name in names:
            os.killpg(self._running[name].pid, signal.SIGKILL)
        for name in names:
            self._running.pop(name).wait()

    def freeze(self, *names: str) -> None:
        self._signal(signal.SIGSTOP, names)

    def thaw(self, *names: str) -> None:
        self._signal(signal.SIGCONT, names)

    def start_redis(self) -> None:
        """Empty: it keeps nothing on disk."""
        address = ("--bind", "127.0.0.1", "--port", str(self.redis_port))
        self._running["redis"] = self._spawn("redis", [*compose.services()["redis"]["command"], *address])

    def redis(self, command: str) -> str:
        address = ("redis-cli", "-p", str(self.redis_port))
        return subprocess.run([*address, command], capture_output=True, text=True, check=False).stdout.strip()

    def log(self, name: str) -> list[dict[str, Any]]:
        """The lines this process wrote that are ours: others (a server's banner) are no JSON."""
        found = []
        for line in (self.folder / f"{name}.log").read_text().splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return [line for line in found if isinstance(line, dict)]

    def ring(self, *tasks: str) -> None:
        """Publish these, in this order, as a process of the shop does."""
        program = "import sys; from libriweb import celery_app; [celery_app.send_task(name) for name in sys.argv[1:]]"
        self.run([sys.executable, "-c", program, *tasks]).check_returncode()

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """A command of the shop's, in its environment."""
        return subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)

    # What people do ----------------------------------------------------------------------------

    def buy(self, who: str, web: str = "web1") -> requests.Response:
        """Subscribe, pay, come back, all on one web. Returns the last page."""
        browser = requests.Session()
        site = f"http://127.0.0.1:{self.web_ports[web]}"
        fields = {"first_name": "Louise", "last_name": "Grandville", "email": address_of(who), "quantity": "1"}
        payment = _submit(browser, site + self.story["form"], fields)
        page = _submit(browser, payment.url, {"method": "CARD", "terms": "on"}, follow=False)
        assert page.status_code == 303, page.text
        back = self.card.pay(page.headers["Location"])
        # The provider sends the payer to SITE_URL; a load balancer may give him either web.
        return browser.get(re.sub(r"^http://[^/]+", site, back), timeout=30)

    def validate(self, order: int, web: str = "web1") -> None:
        browser = requests.Session()
        site = f"http://127.0.0.1:{self.web_ports[web]}"
        login = {"username": "libraire@dlivre.example", "password": "demo", "next": "/admin/"}
        _submit(browser, f"{site}/admin/login/", login)
        page = f"{site}/admin/grouped_orders/groupedorder/{order}"
        token = _token(browser.get(f"{page}/change/", timeout=30))
        browser.post(f"{page}/validate/", {"csrfmiddlewaretoken": token}, timeout=30).raise_for_status()

    # What became of it -------------------------------------------------------------------------

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.cluster.url) as connection:
            return connection.execute(question).fetchall()

    def mails(self, *who: str) -> list[tuple[str, str]]:
        """(who, state) of each confirmation, in the order of the names."""
        found = dict(self.rows("SELECT recipient, state FROM grouped_orders_mail WHERE kind = 'sub_order_paid'"))
        return [(name, found[address_of(name)]) for name in who if address_of(name) in found]

    def wait_for_mails(self, *who: str) -> None:
        wait_until(lambda: self.mails(*who) == [(name, "SENT") for name in who])

    def copies(self, *who: str) -> list[int]:
        """How many mails each of them received."""
        received = [to for message in self.inbox.messages() for to in message["to"]]
        return [received.count(address_of(name)) for name in who]

    def librisoft_orders(self) -> list[str]:
        answer = requests.get(f"{self.librisoft}/_sim/orders", timeout=10).json()
        return [order["body"]["web_order_number"] for order in answer["orders"]]

    # -------------------------------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "tests.deployment.settings",
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": "only for tests",
            "SITE_URL": f"http://127.0.0.1:{self.web_ports['web1']}",
            "DATABASE_URL": self.cluster.url,
            "REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0",
            "STATIC_MANIFEST": "0",
            "STRIPE_API_URL": self.card.url,
            "STRIPE_PAGE_ORIGIN": self.card.url,
            "STRIPE_SECRET_KEY": CARD.secret_key,
            "STRIPE_WEBHOOK_SECRET": CARD.webhook_secret,
            "LIBRISOFT_URL": self.librisoft,
            "LIBRISOFT_TOKEN": LIBRISOFT_TOKEN,
            "EMAIL_URL": f"smtp://127.0.0.1:{self.smtp_port}",
            "EMAIL_TIMEOUT": str(EMAIL_TIMEOUT),
            "LOG_FORMAT": "json",
        }

    def _command(self, name: str) -> list[str]:
        """As docker-compose.yml has it, at home here."""
        if name in WEBS:
            changes = {"0.0.0.0": "127.0.0.1", "8000": str(self.web_ports[name])}
            return one(compose.command("web", changes), "--workers")
        if name == "beat":
            return compose.command("beat", {"/tmp/beat": str(self.folder / "beat")})
        return [*one(compose.command("worker", {}), "--concurrency"), "--hostname", f"{name}@test"]

    def _tell_story(self) -> dict[str, Any]:
        told = self.run([sys.executable, "-m", "tests.deployment.story"])
        assert told.returncode == 0, told.stderr
        story: dict[str, Any] = json.loads(told.stdout)
        return story

    def is_ready(self, web: str) -> bool:
        assert self._running[web].poll() is None, (self.folder / f"{web}.log").read_text()
        try:
            return requests.get(f"http://127.0.0.1:{self.web_ports[web]}/readyz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def _spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as output:
            return subprocess.Popen(
                command,
                env=getattr(self, "environment", None),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )

    def _signal(self, number: signal.Signals, names: tuple[str, ...]) -> None:
        for name in names:
            os.killpg(self._running[name].pid, number)

    def _end(self) -> None:
        self.kill(*self._running)


def one(command: list[str], option: str) -> list[str]:
    """One process where a shop has several: this machine runs a whole fleet."""
    at = command.index(option) + 1
    return [*command[:at], "1", *command[at + 1 :]]


def address_of(who: str) -> str:
    return f"{who}@free.example"


def _submit(browser: requests.Session, page: str, fields: dict[str, str], *, follow: bool = True) -> requests.Response:
    form = browser.get(page, timeout=30)
    answer = browser.post(page, {**fields, "csrfmiddlewaretoken": _token(form)}, timeout=30, allow_redirects=follow)
    answer.raise_for_status()
    return answer


def _token(page: requests.Response) -> str:
    page.raise_for_status()
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]
