"""What an ONIX record offers to a shop of one country: whether it can be had, at which price."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from catalog import codes
from catalog.elements import Element, all_of, date_of, number_of, text_of


@dataclass(frozen=True)
class Market:
    """For whom a record is read: the shop's country (ISO 3166-1 alpha-2) and the day that prices must hold on.

    `currency` and `price_type` are what the message says once for all its prices.
    """

    country: str
    today: date
    currency: str = "EUR"
    price_type: str = ""


@dataclass(frozen=True)
class Offer:
    """`availability` is a code of List 65, "" when unknown; `price` is in euros, VAT included."""

    availability: str
    price: Decimal | None
    vat_rate: Decimal


def best_offer(product: Element, market: Market) -> Offer:
    """The offer of a market this country belongs to, sold and priced rather than not; failing that, another's.

    A French feed often leaves Belgium out, which has a distributor of its own: the book exists all the same.
    """
    supplies = all_of(product, "ProductSupply")
    ours = [supply for supply in supplies if _covers(all_of(supply, "Market/Territory"), market.country)]
    offers = [_offer(detail, market) for supply in ours or supplies for detail in all_of(supply, "SupplyDetail")]
    if not offers:
        return Offer("", None, _standard_vat(market))
    return max(offers, key=lambda offer: (offer.availability in codes.ON_SALE, offer.price is not None))


def _offer(detail: Element, market: Market) -> Offer:
    availability = text_of(detail, "ProductAvailability")
    price, vat_rate = _public_price(detail, market)
    return Offer(availability if len(availability) == 2 else "", price, vat_rate)


def _public_price(detail: Element, market: Market) -> tuple[Decimal | None, Decimal]:
    """The price in euros, VAT included, that holds today, and its VAT: fixed (04) before recommended (02).

    The price of this country first; failing that, the one printed on the book, which is that of its own country,
    with the VAT of ours.
    """
    standard = _standard_vat(market)
    held = [price for price in all_of(detail, "Price") if _holds(price, market)]
    ours = [price for price in held if _covers(all_of(price, "Territory"), market.country)]
    for prices in (ours, held):
        for kind in ("04", "02"):
            for price in prices:
                amount = number_of(price, "PriceAmount")
                if amount and amount >= Decimal("0.01") and _kind(price, market) == kind:
                    return amount.quantize(Decimal("0.01")), _vat(price, standard) if prices is ours else standard
    return None, standard


def _holds(price: Element, market: Market) -> bool:
    """Whether a price is in euros, for anybody, and its dates (from 14, until 15) enclose today."""
    if (text_of(price, "CurrencyCode") or market.currency) != "EUR":
        return False
    if text_of(price, "PriceQualifier") not in codes.FOR_ANYBODY:
        return False
    for limit in all_of(price, "PriceDate"):
        day, _precision = date_of(limit)
        role = text_of(limit, "PriceDateRole")
        if day and ((role == "14" and day > market.today) or (role == "15" and day < market.today)):
            return False
    return True


def _kind(price: Element, market: Market) -> str:
    return text_of(price, "PriceType") or market.price_type


def _vat(price: Element, standard: Decimal) -> Decimal:
    rate = number_of(price, "Tax/TaxRatePercent")
    if rate is not None and 0 <= rate < 100:
        return rate.quantize(Decimal("0.01"))
    return Decimal("0.00") if text_of(price, "Tax/TaxRateCode") == "Z" else standard


def _standard_vat(market: Market) -> Decimal:
    return Decimal(codes.BOOK_VAT.get(market.country, "6.00"))


def _covers(territories: list[Element], country: str) -> bool:
    """Whether these territories hold the country; no territory means everywhere."""
    return not territories or any(_includes(territory, country) for territory in territories)


def _includes(territory: Element, country: str) -> bool:
    included, excluded, regions = (
        text_of(territory, tag, 2000).split() for tag in ("CountriesIncluded", "CountriesExcluded", "RegionsIncluded")
    )
    if country in excluded:
        return False
    if country in included or "WORLD" in regions or "ROW" in regions:
        return True
    # A part of a country (BE-WAL) is where a shop of it may be.
    return ("ECZ" in regions and country in codes.EURO_ZONE) or any(r.startswith(f"{country}-") for r in regions)
