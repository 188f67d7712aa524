from django.apps import AppConfig


class GroupedOrdersConfig(AppConfig):
    name = "grouped_orders"
    verbose_name = "Commandes groupées"
