import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from libriweb import backups


class Command(BaseCommand):
    help = "Remet une sauvegarde dans une base vide ; « - » pour l’entrée standard. Ensuite : manage.py migrate."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--replace", action="store_true", help="efface d’abord ce que contient la base")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["file"] == "-":
                backups.read(sys.stdin.buffer, replace=options["replace"])
            else:
                with Path(options["file"]).open("rb") as file:
                    backups.read(file, replace=options["replace"])
        except (backups.BackupError, OSError) as reason:
            raise CommandError(str(reason)) from reason
