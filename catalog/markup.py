"""The little HTML a summary may hold: pages show it as it is, so it is cleaned before it is kept."""

import html
import re

import nh3

SAFE_TAGS = {"p", "br", "em", "i", "strong", "b", "ul", "ol", "li", "sup", "sub"}
_TAG = re.compile(r"</?[a-zA-Z]")
# What stands on lines of its own stays so when its tag goes.
_BLOCK = re.compile(r"<(/?)(?:div|h[1-6]|blockquote)\b[^>]*>", re.IGNORECASE)
_NOTHING_TO_READ = re.compile(r"<[^>]*>|&nbsp;|\s")


def clean_html(written: str) -> str:
    """Paragraphs, emphasis and lists; no attribute, no script, no link. "" when there is nothing to read.

    Some feeds escape their HTML twice, some write plain text: a blank line then begins a paragraph.
    """
    if not _TAG.search(written):
        written = html.unescape(written)
    if not _TAG.search(written):
        paragraphs = [html.escape(part.strip(), quote=False) for part in re.split(r"\n\s*\n", written)]
        written = "".join(f"<p>{part}</p>" for part in paragraphs if part)
    cleaned = nh3.clean(_BLOCK.sub(r"<\1p>", written), tags=SAFE_TAGS, attributes={}).strip()
    return cleaned if _NOTHING_TO_READ.sub("", cleaned) else ""
