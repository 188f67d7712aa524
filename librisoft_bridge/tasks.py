"""What a commit rings for."""

from celery import shared_task
from django.utils import timezone

from librisoft_bridge import transmission
from librisoft_bridge.models import ShopOrder


@shared_task
def transmit(pk: int) -> None:
    shop_order = ShopOrder.objects.filter(pk=pk).first()
    if shop_order is not None:
        transmission.transmit(shop_order, now=timezone.now())
