"""Prove that verdicts, rows and totals agree."""

import sys
from typing import Any

from django.core.management import BaseCommand

from grouped_orders import ledger


class Command(BaseCommand):
    help = "Vérifie les comptes : écrit chaque écart sur une ligne, et sort avec 1 s’il y en a un."

    def handle(self, *args: Any, **options: Any) -> None:
        found = False
        for line in ledger.differences():
            self.stdout.write(line)
            found = True
        if found:
            sys.exit(1)
        self.stdout.write("Les comptes sont justes.")
