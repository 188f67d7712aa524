from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from collectivities.models import Bookshop


def bookshop(request: HttpRequest) -> dict[str, object]:
    """The shop's identity, in every page; read only by the pages that show it."""
    return {"bookshop": SimpleLazyObject(Bookshop.current)}
