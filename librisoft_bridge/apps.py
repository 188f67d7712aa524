from django.apps import AppConfig


class LibrisoftBridgeConfig(AppConfig):
    name = "librisoft_bridge"
    verbose_name = "LIBRISOFT"
