"""A shop's own settings, with a clock in a hurry: what is every fifteen seconds there is every second here."""

from libriweb.settings import *  # noqa: F403 - everything else is as a shop has it

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_BEAT_SCHEDULE = {
    task: {"task": task, "schedule": 1.0, "options": {"expires": 5}}
    for task in (
        "libriweb.clock.beat",
        "grouped_orders.clock.deliver_mails",
        "grouped_orders.clock.settle_payments",
        "librisoft_bridge.clock.transmit_waiting",
    )
}
