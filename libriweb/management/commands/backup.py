import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from libriweb import backups


class Command(BaseCommand):
    help = "Écrit toute la librairie (base de données, couvertures) dans un fichier ; « - » pour la sortie standard."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["file"] == "-":
                backups.write(sys.stdout.buffer)
            else:
                with backups.new_file(Path(options["file"])) as file:
                    backups.write(file)
        except backups.BackupError as reason:
            raise CommandError(str(reason)) from reason
