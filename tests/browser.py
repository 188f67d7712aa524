"""What a real browser says of a page: accessibility, width, the policy on scripts and styles."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def faults(page: Page, url: str) -> list[str]:
    """Open the page; what is wrong with it: console errors (the policy's refusals too), overflow, axe's findings.

    In the dark nothing but the colours is another: there they alone are judged again.
    """
    console: list[str] = []

    def hear(message) -> None:
        if message.type == "error":
            console.append(f"console: {message.text}")

    page.on("console", hear)
    page.goto(url)
    # axe adds a style of its own, which the policy refuses: what comes from here on is not the page's.
    page.remove_listener("console", hear)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found = console + overflow(page) + accessibility(page)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")  # colours that fade in are none yet
    return found + accessibility(page, rules=["color-contrast"])


def overflow(page: Page) -> list[str]:
    beyond = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return [f"overflow: {beyond} px"] if beyond > 0 else []


def accessibility(page: Page, rules: list[str] = RULES) -> list[str]:
    """What axe finds against WCAG 2.2 AA and its best practices: the rule, and where."""
    found = Axe().run(page, options={"runOnly": rules}).response["violations"]
    return [f"axe {rule['id']}: {[node['target'] for node in rule['nodes']]}" for rule in found]
