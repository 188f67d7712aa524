"""The rows a fleet begins with, in its own database: `python -m tests.deployment.story` migrates it and prints where.

One order takes sub-orders; four others are past their deadline, paid in the shop, and wait for the bookseller.
"""

import json
import sys
from datetime import timedelta

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - Django must be ready before its models are imported
from django.utils import timezone  # noqa: E402

from grouped_orders import checkout  # noqa: E402
from grouped_orders.models import Mail  # noqa: E402
from grouped_orders.statuses import HandMethod  # noqa: E402
from tests.factories import (  # noqa: E402
    BookshopFactory,
    GroupedOrderFactory,
    SubOrderFactory,
    TermsFactory,
    UserFactory,
)

call_command("migrate", verbosity=0, interactive=False)
today = timezone.localdate()
BookshopFactory()
TermsFactory()
bookseller = UserFactory(email="libraire@dlivre.example", is_staff=True, is_superuser=True)
to_validate = []
for _ in range(4):
    order = GroupedOrderFactory(deadline=today)
    paid = SubOrderFactory(grouped_order=order)
    checkout.record_by_hand(paid, method=HandMethod.SHOP, reference="1", by=bookseller, now=timezone.now())
    order.deadline = today - timedelta(days=1)
    order.save(update_fields=["deadline"])
    to_validate.append(order.pk)
Mail.objects.all().delete()
taking = GroupedOrderFactory(deadline=today + timedelta(days=30))
form = f"/order/grouped/suborder/registration/{taking.public_id}"
sys.stdout.write(json.dumps({"form": form, "orders": to_validate}))
