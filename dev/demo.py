"""`make demo`: the site, its worker and clock, and simulators of the outside world, each a process of its own.

python -m dev.demo            goes on where it was; state in DEMO_DIR (.demo)
RESET=1 python -m dev.demo    starts fresh
python -m dev.demo --reload   for a developer's day: DEBUG, and the site reloads when a file changes
"""

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from dev.cluster import Cluster, ClusterError, free_port
from dev.processes import Processes, Stopped

ROOT = Path(__file__).resolve().parent.parent
# name: (environment variable, default port)
PORTS = {
    "web": ("PORT", 8000),
    "librisoft": ("LIBRISOFT_PORT", 8090),
    "paypal": ("PAYPAL_PORT", 8091),
    "card": ("CARD_PORT", 8092),
    "inbox": ("INBOX_PORT", 8025),
    "smtp": ("SMTP_PORT", 1025),
}
ACCOUNTS = [
    ("initiatrice", "approbateur@victorprouve.example"),
    ("autre collectivité", "cdi@alainfournier.example"),
    ("libraire", "libraire@dlivre.example"),
]


class NotPossible(Exception):
    """The demo cannot start; one sentence for whoever typed the command."""


def main() -> int:
    reload = "--reload" in sys.argv
    folder = Path(os.environ.get("DEMO_DIR", ROOT / ".demo")).resolve()
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal too
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        with ExitStack() as stack:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_alone_in(folder))
            ports = _ports()
            if os.environ.get("RESET", "") not in ("", "0") or _was_interrupted(folder):
                _empty(folder)
            (folder / "addresses.json").unlink(missing_ok=True)
            _tell("Préparation…")
            database = _database(folder, stack)
            processes = Processes(folder / "logs", _environment(folder, ports, database, reload=reload))
            stack.callback(processes.stop)
            stack.callback((folder / "addresses.json").unlink, missing_ok=True)
            stack.callback(_finish_undisturbed)
            _start(processes, folder, ports, reload=reload)
            _announce(folder, ports)
            while True:
                time.sleep(0.5)
                processes.check()
    except (NotPossible, ClusterError, Stopped) as reason:
        print(reason, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _alone_in(folder: Path) -> IO[str]:
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise NotPossible(f"La démonstration tourne déjà dans {folder}.") from None
    return lock


def _finish_undisturbed() -> None:
    """An impatient second Ctrl-C must not leave half of them running."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _ports() -> dict[str, int]:
    """The site's port must be free. A simulator's is another free one, unless it was asked for by its variable."""
    ports: dict[str, int] = {}
    for name, (variable, default) in PORTS.items():
        asked = os.environ.get(variable, "").strip()
        if asked and not (asked.isdecimal() and int(asked) < 65536):
            raise NotPossible(f"{variable}={asked} n’est pas un port : il faut un nombre de 0 à 65535.")
        port = int(asked) if asked else default
        if port == 0:
            port = free_port()
        elif port in ports.values() or not _is_free(port):
            if name == "web" or asked:
                raise NotPossible(
                    f"Le port {port} est déjà pris : libérez-le, ou choisissez-en un autre, "
                    f"par exemple {variable}={port + 10} make demo."
                )
            port = free_port()
        ports[name] = port
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _was_interrupted(folder: Path) -> bool:
    """Whether a first run was stopped while it told the story: half a story is of no use."""
    if not (folder / "story-begun").exists():
        return False
    if "DATABASE_URL" in os.environ:
        raise NotPossible("L’histoire n’a été chargée qu’à moitié : « make demo RESET=1 » vide la base et recommence.")
    return True


def _empty(folder: Path) -> None:
    """Forget everything, a database named by DATABASE_URL included."""
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != "lock":
            entry.unlink()
    if url := os.environ.get("DATABASE_URL"):
        import psycopg  # noqa: PLC0415 - only here, and only then

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")


def _database(folder: Path, stack: ExitStack) -> str:
    if url := os.environ.get("DATABASE_URL"):
        return url
    cluster = Cluster(folder / "postgresql")
    stack.callback(cluster.stop)
    cluster.start()
    return cluster.url


def _environment(folder: Path, ports: dict[str, int], database: str, *, reload: bool) -> dict[str, str]:
    """What a real shop would write in its own environment, with the simulators' addresses."""
    secret = _secrets(folder)
    paypal, card = _url(ports, "paypal"), _url(ports, "card")
    for name in ("messages", "control"):
        (folder / "broker" / name).mkdir(parents=True, exist_ok=True)
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "libriweb.settings",
        "PYTHONUNBUFFERED": "1",
        "DEBUG": "1" if reload else "0",
        "LOG_FORMAT": "text",
        "SECRET_KEY": secret["SECRET_KEY"],
        "SITE_URL": _url(ports, "web"),
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "DATABASE_URL": database,
        "BROKER_DIR": str(folder / "broker"),
        "MEDIA_ROOT": str(folder / "media"),
        "IMPORT_ROOT": str(folder / "imports"),
        "STATIC_ROOT": str(folder / "static"),
        "STATIC_MANIFEST": "0" if reload else "1",
        "PAYPAL_API_URL": paypal,
        "PAYPAL_PAGE_ORIGIN": paypal,
        "PAYPAL_CLIENT_ID": "demo",
        "PAYPAL_CLIENT_SECRET": secret["PAYPAL_CLIENT_SECRET"],
        "PAYPAL_MERCHANT_ID": "DLVREDEMZ2345",
        "PAYPAL_WEBHOOK_ID": "DEMOWEBHOOK",
        "STRIPE_API_URL": card,
        "STRIPE_PAGE_ORIGIN": card,
        "STRIPE_SECRET_KEY": secret["STRIPE_SECRET_KEY"],
        "STRIPE_WEBHOOK_SECRET": secret["STRIPE_WEBHOOK_SECRET"],
        "LIBRISOFT_URL": _url(ports, "librisoft"),
        "LIBRISOFT_TOKEN": secret["LIBRISOFT_TOKEN"],
        "EMAIL_URL": f"smtp://127.0.0.1:{ports['smtp']}",
        "DEFAULT_FROM_EMAIL": "Librairie DLIVRE <commandes@dlivre.example>",
    }


def _secrets(folder: Path) -> dict[str, str]:
    """Made once, kept with the state they protect."""
    kept = folder / "secrets.json"
    if not kept.exists():
        kept.touch(mode=0o600)
        made = {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "PAYPAL_CLIENT_SECRET": secrets.token_hex(24),
            "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(12)}",
            "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(12)}",
            "LIBRISOFT_TOKEN": secrets.token_hex(24),
        }
        kept.write_text(json.dumps(made))
    found: dict[str, str] = json.loads(kept.read_text())
    return found


def _start(processes: Processes, folder: Path, ports: dict[str, int], *, reload: bool) -> None:
    environment = processes.environment
    for name, options in _simulators(environment).items():
        state = folder / f"{name}.json"
        command = [sys.executable, "-m", f"simulators.{name}", "--port", str(ports[name]), "--state", str(state)]
        if name == "inbox":
            command += ["--smtp-port", str(ports["smtp"])]
        processes.start(name, command + options)
    manage = [sys.executable, str(ROOT / "manage.py")]
    if not reload:  # the longest of all, and nobody needs it before the site
        processes.begin("collectstatic", [*manage, "collectstatic", "--no-input", "--verbosity", "0"])
    processes.run("migrate", [*manage, "migrate", "--no-input"])
    for name in _simulators(environment):
        processes.wait_for(name, f"{_url(ports, name)}/_sim/health")
    _tell("Chargement de l’histoire…")
    begun, told = folder / "story-begun", folder / "story-told"
    if not told.exists():
        begun.touch()
    processes.run("story", [*manage, "demo"])
    told.touch()
    begun.unlink(missing_ok=True)
    if not reload:
        processes.finish("collectstatic")
    processes.start("web", _web(ports["web"], manage, reload=reload))
    celery = [sys.executable, "-m", "celery", "-A", "libriweb"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    processes.start("worker", [*celery, "worker", "--pool", "threads", "--concurrency", "4", *quiet])
    processes.start("beat", [*celery, "beat", "--schedule", str(folder / "beat"), "--pidfile", ""])
    processes.wait_for("web", _url(ports, "web"))


def _simulators(environment: dict[str, str]) -> dict[str, list[str]]:
    """Each simulator with the options it knows the shop by."""
    site = environment["SITE_URL"]
    return {
        "paypal": [
            *("--client-id", environment["PAYPAL_CLIENT_ID"], "--client-secret", environment["PAYPAL_CLIENT_SECRET"]),
            *("--merchant-id", environment["PAYPAL_MERCHANT_ID"], "--merchant-name", "Librairie DLIVRE"),
            *("--webhook-id", environment["PAYPAL_WEBHOOK_ID"], "--webhook-url", f"{site}/payments/paypal/webhook"),
        ],
        "card": [
            *("--secret-key", environment["STRIPE_SECRET_KEY"], "--merchant-name", "Librairie DLIVRE"),
            *("--webhook-secret", environment["STRIPE_WEBHOOK_SECRET"]),
            *("--webhook-url", f"{site}/payments/card/webhook"),
        ],
        "librisoft": ["--token", environment["LIBRISOFT_TOKEN"]],
        "inbox": [],
    }


def _web(port: int, manage: list[str], *, reload: bool) -> list[str]:
    if reload:
        return [*manage, "runserver", f"127.0.0.1:{port}"]
    granian = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    return [*granian, "--workers", "1", "--blocking-threads", "8", "--no-access-log", "libriweb.wsgi:application"]


def _announce(folder: Path, ports: dict[str, int]) -> None:
    addresses = {name: _url(ports, name) for name in PORTS if name != "smtp"}
    addresses["smtp"] = f"127.0.0.1:{ports['smtp']}"
    written = folder / "addresses.part"
    written.write_text(json.dumps(addresses, indent=2) + "\n")
    written.rename(folder / "addresses.json")
    admin = f"{addresses['web']}/admin/"
    lines = [
        "",
        f"  Le site                {addresses['web']}",
        f"  L’administration       {admin}",
        f"  Les mails reçus        {addresses['inbox']}",
        f"  LIBRISOFT (simulé)     {addresses['librisoft']}",
        f"  PayPal (simulé)        {addresses['paypal']}",
        f"  Paiement en ligne      {addresses['card']}",
        "",
        *(f"  {who:<22} {email}   mot de passe : demo" for who, email in ACCOUNTS),
        "",
        "  Ctrl-C arrête tout. L’état est gardé ; « make demo RESET=1 » repart de zéro.",
    ]
    _tell("\n".join(lines))


def _url(ports: dict[str, int], name: str) -> str:
    return f"http://127.0.0.1:{ports[name]}"


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
