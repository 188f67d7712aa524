"""The little HTML a summary may hold: pages show it as it is, so it is cleaned before it is kept."""

import nh3

SAFE_TAGS = {"p", "br", "em", "i", "strong", "b", "ul", "ol", "li"}


def clean_html(written: str) -> str:
    """Paragraphs, emphasis and lists; no attribute, no script, no link."""
    return nh3.clean(written, tags=SAFE_TAGS, attributes={}).strip()
