"""A shop at work, by the verbs, in the database that DATABASE_URL names: `python populate.py NTH [migrate]`.

Run with the code of another commit on the path, it is that commit's shop; so it uses only what was always there.
"""

import sys

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - Django must be ready before its models are imported
from django.utils import timezone  # noqa: E402

from grouped_orders import checkout, lifecycle  # noqa: E402
from grouped_orders.statuses import HandMethod  # noqa: E402
from tests import factories  # noqa: E402

nth = int(sys.argv[1])
if "migrate" in sys.argv:
    call_command("migrate", verbosity=0, interactive=False)
for factory in (
    factories.BookFactory,
    factories.CollectivityFactory,
    factories.UserFactory,
    factories.SubOrderFactory,
    factories.TermsFactory,
):
    factory.reset_sequence(100 * nth)
now = timezone.now()
factories.BookshopFactory()
factories.TermsFactory()
bookseller = factories.UserFactory(email=f"libraire{nth}@dlivre.example", is_staff=True)
order = factories.GroupedOrderFactory(comment="Pour la rentrée", customer_reference="CDI-12")
paid, cancelled = (factories.SubOrderFactory(grouped_order=order, quantity=quantity) for quantity in (2, 1))
checkout.record_by_hand(paid, method=HandMethod.SHOP, reference="7", by=bookseller, now=now)
checkout.cancel_sub_order(cancelled, by=bookseller, reason="Essai", refund=None, now=now)
lifecycle.validate(order, by=bookseller, now=now.replace(year=order.deadline.year + 1))
waiting = factories.GroupedOrderFactory()
factories.SubOrderFactory(grouped_order=waiting)
