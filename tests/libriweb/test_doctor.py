"""`manage.py doctor`: what it finds, and what it says to do."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from dev.cluster import BIN
from libriweb import doctor
from libriweb.models import Heartbeat
from tests.factories import AddressFactory, BookFactory, BookshopFactory, TermsFactory, UserFactory
from tests.simulation import Simulator
from tests.simulation_inbox import Inbox, free_port
from tests.simulation_librisoft import LibrisoftSimulator

pytestmark = pytest.mark.django_db

Findings = list[tuple[str, str]]


def said(check: Callable[[], doctor.Findings]) -> Findings:
    return [(str(verdict), sentence.replace("\u00a0", " ")) for verdict, sentence in check()]


def test_sound_installation_is_told_good(
    settings: Settings,
    serve: Callable[[Any], str],
    inbox: Inbox,
    paypal_simulator: Simulator,
    card_simulator: Simulator,
    librisoft_simulator: LibrisoftSimulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    settings.MEDIA_ROOT = tmp_path
    settings.DEFAULT_FROM_EMAIL = "libraire@dlivre.example"
    settings.SITE_URL = serve(healthy)
    AddressFactory(collectivity=None, bookshop=BookshopFactory())
    TermsFactory()
    UserFactory(is_staff=True)
    BookFactory()
    Heartbeat.note(timezone.now())
    told = StringIO()
    with pytest.raises(CommandError, match=r"^2 points à corriger\.$"):
        call_command("doctor", stdout=told)
    lines = told.getvalue().replace("\u00a0", " ").splitlines()
    # Only what a test has no way to: a certificate and a Redis.
    assert [line for line in lines if not line.startswith("✓")] == [
        f"✗ Site : SITE_URL ({settings.SITE_URL}) n’est pas en https : mettez un certificat devant le site, "
        "puis https dans SITE_URL.",
        "✗ Redis : REDIS_URL est vide : cela suffit à une démonstration, pas à une librairie.",
    ]
    assert {
        "✓ Paiements : PayPal accepte nos identifiants.",
        "✓ Paiements : Paiement en ligne accepte nos identifiants.",
        "✓ LIBRISOFT : LIBRISOFT répond.",
        "✓ Librairie : DLIVRE",
        "✓ Fichiers : Les couvertures peuvent être enregistrées.",
        "✓ Documents PDF : Les PDF peuvent être faits.",
        f"✓ Mails : Le serveur de mail 127.0.0.1:{inbox.smtp_port} accepte la connexion.",
        f"✓ Site : {settings.SITE_URL} répond.",
    } <= set(lines)


def healthy(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok\n"]


def elsewhere(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<h1>Parking</h1>"]


def test_site_that_does_not_answer_or_is_anothers(settings: Settings, serve: Callable[[Any], str]) -> None:
    settings.SITE_URL = f"http://127.0.0.1:{free_port()}"
    assert said(doctor.site)[-1] == (
        "✗",
        f"{settings.SITE_URL} ne répond pas : démarrez le serveur web, vérifiez le nom de domaine.",
    )
    settings.SITE_URL = serve(elsewhere)
    assert said(doctor.site)[-1] == ("✗", f"{settings.SITE_URL} mène à un autre site : vérifiez SITE_URL.")


def test_database_behind_its_code_is_told_before_anything_that_needs_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'libriweb'")
    assert said(doctor.database) == [
        ("✗", "La base n’est pas à jour (libriweb.0001_initial) : lancez « manage.py migrate ».")
    ]
    assert "Librairie" not in [finding.about for finding in doctor.examine()]


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (None, ("✗", "Rien ne bat : démarrez « celery -A libriweb beat » et un « celery -A libriweb worker ».")),
        (
            timedelta(minutes=7, seconds=5),
            ("✗", "Rien ne bat depuis 7 min : « celery beat » ou le « worker » est arrêté."),
        ),
        (timedelta(seconds=9.5), ("✓", "Dernier battement il y a 9 s.")),
    ],
)
def test_scheduler_that_is_silent_is_told(age: timedelta | None, told: tuple[str, str], time_machine: Any) -> None:
    now = datetime(2026, 11, 24, 9, tzinfo=UTC)
    time_machine.move_to(now, tick=False)
    if age:
        Heartbeat.note(now - age)
    assert said(doctor.scheduler) == [told]


def test_broker_that_is_absent_is_told(settings: Settings) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    assert said(doctor.broker) == [("✗", "Redis ne répond pas : démarrez-le, ou vérifiez REDIS_URL.")]


def test_empty_shop_is_told_what_to_enter() -> None:
    assert [verdict for verdict, _ in said(doctor.shop)] == ["✗", "✗", "✗", "!"]


def test_mail_server_that_is_absent_and_sender_that_is_nobody(settings: Settings) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    settings.DEFAULT_FROM_EMAIL = "Librairie <libraire@127.0.0.1>"
    assert said(doctor.mail) == [
        ("✗", "DEFAULT_FROM_EMAIL (libraire@127.0.0.1) n’est pas une adresse de la librairie."),
        (
            "✗",
            f"Le serveur de mail 127.0.0.1:{settings.EMAIL_PORT} refuse la connexion : vérifiez EMAIL_URL. "
            "(Connection refused)",
        ),
    ]


def test_providers_that_refuse_us_or_are_silent(
    settings: Settings, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    settings.PAYPAL_CLIENT_SECRET = "wrong"
    settings.STRIPE_API_URL = f"http://127.0.0.1:{free_port()}"
    paypal, card = said(doctor.providers)
    told = " ne confirme rien : vérifiez les identifiants et l’adresse. ("
    assert paypal[1] == f"PayPal{told}AUTHENTICATION_FAILURE)"
    assert card[1].startswith(f"Paiement en ligne{told}")
    assert (paypal[0], card[0]) == ("✗", "✗")


def test_shop_without_a_provider_takes_no_money(settings: Settings) -> None:
    settings.PAYPAL_CLIENT_ID = settings.STRIPE_SECRET_KEY = ""
    assert said(doctor.providers) == [("✗", "Aucun moyen de paiement : renseignez PAYPAL_… ou STRIPE_….")]


def test_librisoft_that_refuses_us_or_is_absent(settings: Settings, librisoft_simulator: LibrisoftSimulator) -> None:
    settings.LIBRISOFT_TOKEN = "wrong"
    [(verdict, sentence)] = said(doctor.librisoft)
    assert (verdict, sentence.split("(")[0]) == ("✗", "LIBRISOFT refuse la demande : vérifiez LIBRISOFT_TOKEN. ")
    settings.LIBRISOFT_URL = f"http://127.0.0.1:{free_port()}"
    [(verdict, sentence)] = said(doctor.librisoft)
    assert (verdict, sentence.split("(")[0]) == ("✗", "LIBRISOFT est injoignable : vérifiez LIBRISOFT_URL. ")


def test_librisoft_by_pull_and_by_file(settings: Settings, tmp_path: Any) -> None:
    settings.SITE_URL = "https://commandes.dlivre.example"
    settings.LIBRISOFT_TRANSPORT = "pull"
    assert said(doctor.librisoft) == [
        ("✓", f"LIBRISOFT vient chercher ses commandes sur {settings.SITE_URL}/librisoft/v1/orders/fetch.")
    ]
    settings.LIBRISOFT_TRANSPORT, settings.LIBRISOFT_FOLDER = "file", str(tmp_path / "drop")
    assert said(doctor.librisoft) == [("✓", f"Les commandes sont déposées dans {tmp_path / 'drop'}.")]
    (tmp_path / "file").touch()
    settings.LIBRISOFT_FOLDER = str(tmp_path / "file")
    assert said(doctor.librisoft) == [
        ("✗", f"LIBRISOFT_FOLDER ({tmp_path / 'file'}) n’est pas accessible en écriture.")
    ]


def test_machine_without_pg_dump_cannot_back_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert said(doctor.backup) == [
        ("!", "pg_dump manque : installez le client de PostgreSQL pour « manage.py backup ».")
    ]


def test_imports_folder_that_cannot_be_written_is_told(settings: Settings, tmp_path: Any) -> None:
    settings.IMPORT_ROOT = tmp_path / "imports"
    assert [verdict for verdict, _sentence in said(doctor.imports)] == ["✓"]
    (tmp_path / "file").touch()
    settings.IMPORT_ROOT = tmp_path / "file"
    assert said(doctor.imports) == [("✗", f"IMPORT_ROOT ({tmp_path / 'file'}) n’est pas accessible en écriture.")]


def test_folder_that_cannot_be_written_is_told(settings: Settings, tmp_path: Any) -> None:
    (tmp_path / "file").touch()
    settings.MEDIA_ROOT = tmp_path / "file"
    [(verdict, sentence)] = said(doctor.files)
    assert (verdict, sentence) == ("✗", f"MEDIA_ROOT ({tmp_path / 'file'}) n’est pas accessible en écriture.")
