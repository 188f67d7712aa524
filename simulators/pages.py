"""The page on which the payer decides: plain buttons, no script, nothing fetched from elsewhere."""

from dataclasses import dataclass
from decimal import Decimal

from flask import render_template_string

from simulators.ledger import AWAY, Entry

_PAGE = """\
<!doctype html>
<html lang="fr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>{{ title }}</title>
<style>
  :root { color-scheme: light; }
  * { box-sizing: border-box; }
  body { margin: 0; background: #f2f4f7; color: #1c2430; font: 1rem/1.5 system-ui, sans-serif; }
  header { background: {{ colour }}; color: #fff; padding: .9rem 1.25rem; font-weight: 700; font-size: 1.15rem; }
  header small { font-weight: 400; font-size: .85rem; margin-left: .6rem; }
  main { max-width: 27rem; margin: 2rem auto; padding: 1.75rem; background: #fff; border: 1px solid #d8dde5;
         border-radius: .75rem; }
  h1 { font-size: 1.15rem; margin: 0 0 1rem; }
  dl { margin: 0 0 1.5rem; }
  dt { font-size: .875rem; color: #566070; }
  dd { margin: 0 0 .75rem; overflow-wrap: anywhere; }
  .amount { font-size: 1.9rem; font-weight: 700; }
  .alert { border-left: 4px solid #b3261e; background: #fdecea; padding: .75rem 1rem; margin: 0 0 1.25rem; }
  button { display: block; width: 100%; min-height: 3rem; margin-top: .75rem; border-radius: .5rem; cursor: pointer;
           border: 1px solid #6b7686; background: #fff; color: inherit; font: inherit; font-weight: 600; }
  button.main { background: {{ colour }}; border-color: {{ colour }}; color: #fff; }
  button.small { min-height: 2rem; margin-top: .25rem; padding: 0 .5rem; font-size: .85rem; font-weight: 400; }
  button:focus-visible, a:focus-visible { outline: 3px solid #ffb454; outline-offset: 2px; }
  table { width: 100%; border-collapse: collapse; font-size: .9rem; }
  th, td { padding: .5rem .25rem; border-top: 1px solid #d8dde5; text-align: left; }
  td:nth-child(2) { overflow-wrap: anywhere; }
  th:last-child, td:last-child { text-align: right; white-space: nowrap; }
  footer { max-width: 27rem; margin: 0 auto 2rem; padding: 0 1rem; text-align: center; font-size: .875rem;
           color: #4a5464; }
  @media (max-width: 30rem) { main { margin: 1rem; padding: 1.25rem; } }
</style>
</head>
<body>
<header>{{ provider }}<small>simulateur</small></header>
<main>
  <h1>{{ title }}</h1>
  {% if alert %}<p class="alert" role="alert">{{ alert }}</p>{% endif %}
  {% if amount %}
  <dl>
    <dt>Marchand</dt><dd>{{ merchant }}</dd>
    {% if description %}<dt>Description</dt><dd>{{ description }}</dd>{% endif %}
    <dt>Montant</dt><dd class="amount">{{ amount }}</dd>
  </dl>
  {% endif %}
  {% if message %}<p>{{ message }}</p>{% endif %}
  {% if entries is defined %}
  <table>
    <thead><tr><th scope="col">Mouvement</th><th scope="col">Référence</th><th scope="col">Montant</th></tr></thead>
    <tbody>
    {% for kind, reference, amount, dispute in entries %}
    <tr><td>{{ kind }}</td><td>{{ reference }}</td><td>{{ amount }}
      {%- if dispute %}
      <form method="post" action="{{ dispute }}">
      <button class="small" name="action" value="dispute">Ouvrir un litige</button>
      </form>
      {%- endif %}</td></tr>
    {% else %}
    <tr><td colspan="3">Rien n’a encore été débité.</td></tr>
    {% endfor %}
    </tbody>
    <tfoot><tr><th scope="row" colspan="2">Total</th><td>{{ total }}</td></tr></tfoot>
  </table>
  {% endif %}
  {% if buttons %}
  <form method="post">
    {% for value, label in buttons %}
    <button name="action" value="{{ value }}"{% if loop.first %} class="main"{% endif %}>{{ label }}</button>
    {% endfor %}
  </form>
  {% endif %}
  {% if back_url %}<p><a href="{{ back_url }}">Retour chez le marchand</a></p>{% endif %}
</main>
<footer>Page d’essai&nbsp;: aucun argent n’est débité.</footer>
</body>
</html>
"""


_KINDS = {
    "capture": "Encaissement",
    "refund": "Remboursement",
    "returned": "Remboursement revenu",
    "dispute": "Litige",
}


@dataclass(frozen=True)
class Face:
    """What one provider's pages have in common."""

    provider: str
    merchant: str
    colour: str
    # Where the button beside a capture goes: « {id} » stands for the capture.
    dispute: str

    def ask(
        self, *, amount: Decimal, currency: str, description: str, buttons: list[tuple[str, str]], alert: str = ""
    ) -> str:
        """The page that asks for the money. `buttons`: (value of `action`, label), the first one stands out."""
        return self._render(
            title=f"Payer {self.merchant}",
            amount=spell(amount, currency),
            description=description,
            buttons=buttons,
            alert=alert,
        )

    def tell(self, title: str, message: str, *, back_url: str = "") -> str:
        """The page that has nothing left to ask."""
        return self._render(title=title, message=message, back_url=back_url)

    def show(self, entries: list[Entry], total: Decimal) -> str:
        """The front page: the ledger, newest first."""
        rows = [
            (
                _KINDS[e["kind"]],
                e["reference"],
                _signed(e),
                self.dispute.format(id=e["id"]) if e["kind"] == "capture" else "",
            )
            for e in reversed(entries)
        ]
        return self._render(title=f"Compte de {self.merchant}", entries=rows, total=spell(total, "EUR"))

    def _render(self, **context: object) -> str:
        return render_template_string(
            _PAGE, provider=self.provider, merchant=self.merchant, colour=self.colour, **context
        )


def _signed(entry: Entry) -> str:
    amount = Decimal(entry["amount"])
    return spell(-amount if entry["kind"] in AWAY else amount, entry["currency"])


def spell(amount: Decimal, currency: str) -> str:
    """74,50 € as French typography writes it; another currency by its code."""
    figures = f"{amount:,.2f}".replace("-", "\u2212").replace(",", "\u202f").replace(".", ",")
    return f"{figures}\u00a0{'€' if currency.upper() == 'EUR' else currency.upper()}"
