"""Reading a page as a person does: by its words, its fields and its links."""

from django.http import HttpResponse
from lxml import html


def words(element: html.HtmlElement) -> str:
    """The text of an element on one line; a non-breaking space is a space like another."""
    return " ".join(element.text_content().split())


class Page:
    """A response, parsed."""

    def __init__(self, response: HttpResponse) -> None:
        self.status = response.status_code
        self.tree = html.fromstring(response.content.decode())

    @property
    def title(self) -> str:
        return words(self.tree.find(".//title"))

    @property
    def main(self) -> str:
        return words(self.tree.find(".//main"))

    def with_class(self, name: str) -> list[html.HtmlElement]:
        return self.tree.find_class(name)

    def links(self) -> dict[str, str]:
        """The links of the page's own part: what they say, where they go."""
        return {words(link): link.get("href") for link in self.tree.find(".//main").iter("a")}

    def errors(self) -> dict[str, list[str]]:
        """The sentences under each field, by the name of the field."""
        return {
            wrong.xpath(".//@name")[0]: [words(error) for error in wrong.find_class("error")]
            for wrong in self.with_class("field-wrong")
        }

    def summary(self) -> list[str]:
        """The box above a refused form."""
        return [words(line) for line in self.tree.xpath("//*[@role='alert']//li")]

    def fields(self) -> dict[str, str]:
        """What the fields of the page's last form hold; of radio buttons, the one that is chosen."""
        form = self.tree.xpath("//main//form")[-1]
        # HTML leaves out the line break that Django puts first in a <textarea>; lxml does not.
        held = {name: (form.fields[name] or "").removeprefix("\n") for name in form.fields}
        held.pop("csrfmiddlewaretoken", None)
        return held

    def facts(self) -> dict[str, str]:
        """Every list of facts: its labels, and what is said of each."""
        return {words(label): words(label.getnext()) for label in self.tree.iter("dt")}

    def rows(self, of: int = 0) -> list[list[str]]:
        """The cells of a table's body, row by row."""
        return [[words(cell) for cell in row] for row in self.tree.xpath("//table")[of].xpath("./tbody/tr")]
