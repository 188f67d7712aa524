"""What a mail's template needs and a page's does not. They work whoever renders it: Django's password reset too."""

import re

import css_inline
from django import template
from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from collectivities.models import Bookshop

register = template.Library()

# Mail readers drop style sheets but keep attributes; the rules for phones and dark mode stay in a <style>.
_inliner = css_inline.CSSInliner(keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False)


@register.simple_block_tag
def inline_css(content: str) -> SafeString:
    """Move the page's own style sheet into the elements it is for. Nothing is fetched."""
    return mark_safe(_inliner.inline(content))


@register.simple_block_tag
def paragraphs(content: str) -> str:
    """One empty line between two paragraphs: an included file ends its line, and the line it stands in ends too."""
    return re.sub(r"\n{3,}", "\n\n", content).strip()


@register.simple_tag
def absolute_url(name: str, *args: object) -> str:
    """The link to a page of the site at its own address (SITE_URL), never at the one a request came to."""
    return settings.SITE_URL + reverse(name, args=args)


@register.simple_tag
def current_bookshop() -> Bookshop:
    return Bookshop.current()
