"""What only the bookseller's pages print."""

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

from grouped_orders.payments.refusals import refusal

register = template.Library()
register.filter("refusal", refusal)


@register.filter
def breakable(address: str) -> SafeString:
    """An e-mail address that a narrow column may break at its @ and dots rather than inside a word."""
    return mark_safe(conditional_escape(address).replace("@", "<wbr>@").replace(".", "<wbr>."))
