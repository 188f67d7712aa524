"""What a new installation lacks, each with what to do about it. `manage.py doctor` prints it.

A check asks the outside world the cheapest question that proves it, changes nothing, and sends no mail.
"""

import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parseaddr
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.mail import get_connection
from django.db import DatabaseError, connection
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog.models import Book
from collectivities.models import Bookshop, Terms, User
from grouped_orders import payments
from grouped_orders.payments.base import Refused, Unknown
from librisoft_bridge import client
from libriweb import health
from libriweb.models import Heartbeat

# The clock runs every fifteen seconds; a minute without it is no hiccup.
SILENCE = timedelta(minutes=1)
# How far the database's clock may be from ours.
DRIFT = timedelta(seconds=5)
# Seconds for one question to the outside world.
PATIENCE = 10


class Verdict(StrEnum):
    GOOD = "✓"
    ODD = "!"
    BAD = "✗"


@dataclass(frozen=True)
class Finding:
    verdict: Verdict
    about: str
    sentence: str


def examine(only: Collection[str] = ()) -> Iterator[Finding]:
    """Every finding, in the order in which one would mend them; `only` names the checks to make.

    Without a database what needs it is left out.
    """
    found = list(_told(_("Base de données"), database))
    yield from found
    has_database = not any(finding.verdict == Verdict.BAD for finding in found)
    needs_database: list[tuple[str, Callable[[], Iterator[tuple[Verdict, str]]]]] = [
        (_("Horloge (Celery beat et worker)"), scheduler),
        (_("Librairie"), shop),
    ]
    for about, check in (
        (_("Site"), site),
        (_("Fuseau horaire"), time_zone),
        (_("Redis"), broker),
        *(needs_database if has_database else []),
        (_("Mails"), mail),
        (_("Paiements"), providers),
        (_("LIBRISOFT"), librisoft),
        (_("Fichiers"), files),
        (_("Imports"), imports),
        (_("Documents PDF"), documents),
        (_("Sauvegardes"), backup),
    ):
        if not only or check.__name__ in only:
            yield from _told(about, check)


def _told(about: str, check: Callable[[], Iterator[tuple[Verdict, str]]]) -> Iterator[Finding]:
    for verdict, sentence in check():
        yield Finding(verdict, about, sentence)


Findings = Iterator[tuple[Verdict, str]]


def database() -> Findings:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version_num')::int, clock_timestamp()")
            version, instant = cursor.fetchone()
    except DatabaseError as error:
        reason = str(error).strip().splitlines()[0]
        yield Verdict.BAD, _("PostgreSQL ne répond pas : vérifiez DATABASE_URL. (%(why)s)") % {"why": reason}
        return
    major = version // 10000
    if major < 15:
        yield (
            Verdict.BAD,
            _("PostgreSQL %(version)s est trop ancien : il faut la version 15 ou plus.") % {"version": major},
        )
        return
    if abs(instant - timezone.now()) > DRIFT:
        yield Verdict.ODD, _("L’heure de PostgreSQL n’est pas celle de cette machine : activez NTP sur les deux.")
    if missing := health.missing_migrations():
        yield (
            Verdict.BAD,
            _("La base n’est pas à jour (%(names)s) : lancez « manage.py migrate ».")
            % {"names": ", ".join(missing[:3])},
        )
        return
    yield Verdict.GOOD, _("PostgreSQL %(version)s, à jour.") % {"version": major}


def site() -> Findings:
    url = urlsplit(settings.SITE_URL)
    if settings.DEBUG:
        yield Verdict.BAD, _("DEBUG est actif : retirez-le, il montre le code et les secrets aux visiteurs.")
    if url.scheme != "https":
        yield (
            Verdict.BAD,
            _("SITE_URL (%(url)s) n’est pas en https : mettez un certificat devant le site, puis https dans SITE_URL.")
            % {"url": settings.SITE_URL},
        )
    try:
        answer = requests.get(f"{settings.SITE_URL}/healthz", timeout=PATIENCE)
    except requests.exceptions.SSLError:
        yield Verdict.BAD, _("Le certificat de %(host)s est refusé : renouvelez-le.") % {"host": url.hostname}
        return
    except requests.RequestException:
        yield (
            Verdict.BAD,
            _("%(url)s ne répond pas : démarrez le serveur web, vérifiez le nom de domaine.")
            % {"url": settings.SITE_URL},
        )
        return
    if answer.text.strip() != "ok":
        yield Verdict.BAD, _("%(url)s mène à un autre site : vérifiez SITE_URL.") % {"url": settings.SITE_URL}
        return
    if url.scheme == "https":
        yield from _secure_pages()
    else:
        yield Verdict.GOOD, _("%(url)s répond.") % {"url": settings.SITE_URL}


def _secure_pages() -> Findings:
    """A proxy that does not say X-Forwarded-Proto makes the redirect to https turn in circles."""
    try:
        requests.get(f"{settings.SITE_URL}/", timeout=PATIENCE).raise_for_status()
    except requests.TooManyRedirects:
        yield (
            Verdict.BAD,
            _("Le site tourne en rond : le serveur devant lui doit envoyer X-Forwarded-Proto, avec BEHIND_PROXY=1."),
        )
    except requests.RequestException:
        yield Verdict.BAD, _("La page d’accueil ne s’affiche pas : lisez le journal du serveur web.")
    else:
        yield Verdict.GOOD, _("%(url)s répond, en https.") % {"url": settings.SITE_URL}


def time_zone() -> Findings:
    now = timezone.localtime()
    yield (
        Verdict.GOOD,
        _("%(zone)s, où il est %(time)s : les dates limites finissent à son minuit.")
        % {"zone": settings.TIME_ZONE, "time": now.strftime("%H:%M")},
    )


def broker() -> Findings:
    match health.broker():
        case "ok":
            yield Verdict.GOOD, _("Redis répond.")
        case "files":
            yield Verdict.BAD, _("REDIS_URL est vide : cela suffit à une démonstration, pas à une librairie.")
        case _:
            yield Verdict.BAD, _("Redis ne répond pas : démarrez-le, ou vérifiez REDIS_URL.")


def scheduler() -> Findings:
    age = Heartbeat.age(timezone.now())
    if age is None or age > SILENCE:
        yield (
            Verdict.BAD,
            _("Rien ne bat : démarrez « celery -A libriweb beat » et un « celery -A libriweb worker ».")
            if age is None
            else _("Rien ne bat depuis %(minutes)d min : « celery beat » ou le « worker » est arrêté.")
            % {"minutes": age.total_seconds() // 60},
        )
    else:
        yield Verdict.GOOD, _("Dernier battement il y a %(seconds)d s.") % {"seconds": age.total_seconds()}


def shop() -> Findings:
    bookshop = Bookshop.objects.first()
    if bookshop is None:
        yield Verdict.BAD, _("La librairie n’est pas décrite : saisissez-la dans l’administration.")
    elif not bookshop.addresses.exists():
        yield Verdict.BAD, _("La librairie n’a pas d’adresse : ajoutez-la dans l’administration.")
    else:
        yield Verdict.GOOD, bookshop.name
    if not Terms.objects.exists():
        yield Verdict.BAD, _("Il n’y a pas de conditions générales de vente : publiez-les dans l’administration.")
    if not User.objects.filter(is_staff=True, is_active=True).exists():
        yield Verdict.BAD, _("Aucun compte de libraire : lancez « manage.py createsuperuser ».")
    if not Book.objects.exists():
        yield Verdict.ODD, _("Le catalogue est vide : lancez « manage.py import_books ».")


def mail() -> Findings:
    sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    if sender.rpartition("@")[2] in ("", "localhost", "127.0.0.1"):
        yield (
            Verdict.BAD,
            _("DEFAULT_FROM_EMAIL (%(sender)s) n’est pas une adresse de la librairie.") % {"sender": sender},
        )
    server = get_connection(settings.SMTP_BACKEND, timeout=PATIENCE)
    where = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    try:
        server.open()
        server.close()
    except OSError as error:  # smtplib's are among them
        yield (
            Verdict.BAD,
            _("Le serveur de mail %(where)s refuse la connexion : vérifiez EMAIL_URL. (%(why)s)")
            % {"where": where, "why": error.strerror or error},
        )
    else:
        yield Verdict.GOOD, _("Le serveur de mail %(where)s accepte la connexion.") % {"where": where}


def providers() -> Findings:
    """A list of the last hour proves the key, and for PayPal the feature that the nightly comparison needs."""
    methods = payments.enabled_methods()
    if not methods:
        yield Verdict.BAD, _("Aucun moyen de paiement : renseignez PAYPAL_… ou STRIPE_….")
    now = timezone.now()
    for method in methods:
        try:
            next(iter(payments.provider(method).list_movements(now - timedelta(hours=1), now)), None)
        except Refused as refused:
            yield (
                Verdict.BAD,
                _("%(method)s refuse nos identifiants : vérifiez-les. (%(why)s)")
                % {"method": method.label, "why": refused},
            )
        except Unknown as doubt:
            yield (
                Verdict.BAD,
                _("%(method)s ne confirme rien : vérifiez les identifiants et l’adresse. (%(why)s)")
                % {"method": method.label, "why": doubt},
            )
        else:
            yield Verdict.GOOD, _("%(method)s accepte nos identifiants.") % {"method": method.label}


def librisoft() -> Findings:
    """By whichever way the orders travel."""
    match settings.LIBRISOFT_TRANSPORT:
        case "pull":
            yield (
                Verdict.GOOD,
                _("LIBRISOFT vient chercher ses commandes sur %(url)s.")
                % {"url": f"{settings.SITE_URL}{reverse('librisoft_fetch')}"},
            )
        case "file" if _can_write(Path(settings.LIBRISOFT_FOLDER)):
            yield (
                Verdict.GOOD,
                _("Les commandes sont déposées dans %(folder)s.") % {"folder": settings.LIBRISOFT_FOLDER},
            )
        case "file":
            yield (
                Verdict.BAD,
                _("LIBRISOFT_FOLDER (%(folder)s) n’est pas accessible en écriture.")
                % {"folder": settings.LIBRISOFT_FOLDER},
            )
        case _:
            yield from _librisoft_by_push()


def _librisoft_by_push() -> Findings:
    if not settings.LIBRISOFT_URL:
        yield (
            Verdict.BAD,
            _("LIBRISOFT n’est pas configuré : les commandes validées attendent. Renseignez LIBRISOFT_URL."),
        )
        return
    try:
        client.list_changes("", limit=1)
    except client.Refused as refused:
        yield Verdict.BAD, _("LIBRISOFT refuse la demande : vérifiez LIBRISOFT_TOKEN. (%(why)s)") % {"why": refused}
    except client.Unknown as doubt:
        yield Verdict.BAD, _("LIBRISOFT est injoignable : vérifiez LIBRISOFT_URL. (%(why)s)") % {"why": doubt}
    else:
        yield Verdict.GOOD, _("LIBRISOFT répond.")


def files() -> Findings:
    if settings.STATIC_MANIFEST and not getattr(staticfiles_storage, "hashed_files", {}):
        yield Verdict.BAD, _("Les fichiers statiques manquent : lancez « manage.py collectstatic ».")
    yield from _keeps("MEDIA_ROOT", _("Les couvertures peuvent être enregistrées."))


def imports() -> Findings:
    yield from _keeps("IMPORT_ROOT", _("Les catalogues envoyés et les rapports d’import peuvent être enregistrés."))


def _keeps(name: str, good: str) -> Findings:
    folder = getattr(settings, name)
    if _can_write(Path(folder)):
        yield Verdict.GOOD, good
    else:
        yield (
            Verdict.BAD,
            _("%(name)s (%(folder)s) n’est pas accessible en écriture.") % {"name": name, "folder": folder},
        )


def _can_write(folder: Path) -> bool:
    probe = folder / ".doctor"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def backup() -> Findings:
    if shutil.which("pg_dump") and shutil.which("pg_restore"):
        yield Verdict.GOOD, _("pg_dump est là pour « manage.py backup ».")
    else:
        yield Verdict.ODD, _("pg_dump manque : installez le client de PostgreSQL pour « manage.py backup ».")


def documents() -> Findings:
    try:
        from weasyprint import HTML  # noqa: PLC0415 - what is looked for: it fails where Pango is missing

        HTML(string="<p>é").write_pdf()
    except (ImportError, OSError):
        yield Verdict.BAD, _("Les PDF ne peuvent pas être faits : installez Pango (libpango-1.0-0, libpangoft2-1.0-0).")
    else:
        yield Verdict.GOOD, _("Les PDF peuvent être faits.")
