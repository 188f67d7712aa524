from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import ngettext

from libriweb.doctor import Verdict, examine


class Command(BaseCommand):
    help = "Vérifie une installation et dit ce qu’il faut corriger ; le code de retour est 1 s’il le faut."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("only", nargs="*", help="les points à vérifier (scheduler, mail…), tous sinon")

    def handle(self, *args: Any, **options: Any) -> None:
        wrong = 0
        for finding in examine(options["only"]):
            self.stdout.write(f"{finding.verdict} {finding.about} : {finding.sentence}")
            wrong += finding.verdict == Verdict.BAD
        if wrong:
            raise CommandError(
                ngettext("%(count)d point à corriger.", "%(count)d points à corriger.", wrong) % {"count": wrong}
            )
