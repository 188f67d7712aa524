import pytest

from tests.catalog.samples import between, message, only, price, product


@pytest.mark.parametrize(
    ("prices", "country", "expected"),
    [
        (price("9.00", "FR") + price("8.50", "BE", rate="6.00"), "BE", ("8.50", "6.00")),
        (price("9.00", "FR") + price("8.50", "BE", rate="6.00"), "FR", ("9.00", "5.50")),
        (price("7.00", "BE", type="02") + price("8.00", "BE"), "BE", ("8.00", "5.50")),
        (price("9.00", "FR"), "BE", ("9.00", "6.00")),
        (price("9.00", "FR").replace("CountriesIncluded", "CountriesExcluded"), "BE", ("9.00", "6.00")),
        (price("0.00", "BE") + price("-3", "BE") + price("NaN", "BE") + price("9e9", "BE"), "BE", (None, "6.00")),
        (price("7.00", "BE").replace("<Price>", "<Price><PriceQualifier>06</PriceQualifier>"), "BE", (None, "6.00")),
        (between("7.00", "20200101", "20251231") + between("8.00", "20260101", ""), "BE", ("8.00", "5.50")),
        (price("9.00", "BE").replace("<Price>", "<Price><!-- promo -->"), "BE", ("9.00", "5.50")),
        (price("9.00", "BE", rate="0"), "BE", ("9.00", "0.00")),
        (price("9.00", "BE", rate="250"), "BE", ("9.00", "6.00")),
        (price("9,50", "BE", currency=""), "BE", ("9.50", "5.50")),
        (price("9.00", "BE", type="01") + price("9.00", "BE", currency="CHF"), "BE", (None, "6.00")),
    ],
    ids=[
        "Belgium's",
        "France's",
        "fixed before recommended",
        "printed on the book",
        "ours is excluded",
        "absurd amounts",
        "for libraries",
        "today's",
        "with a comment",
        "no VAT",
        "absurd VAT",
        "decimal comma and the message's currency",
        "none with VAT in euros",
    ],
)
def test_price_is_the_public_one_of_the_shops_country(
    prices: str, country: str, expected: tuple[str | None, str]
) -> None:
    record = only(message(product(prices=prices)), country)
    assert (record.price and str(record.price), str(record.vat_rate)) == expected


def test_message_says_currency_once_for_all_prices() -> None:
    raw = message(product(prices=price("9.00", "BE", currency=""))).replace(
        b"</Header>", b"<DefaultCurrencyCode>GBP</DefaultCurrencyCode></Header>"
    )
    assert only(raw).price is None


@pytest.mark.parametrize(
    ("market", "availability"),
    [
        ("<CountriesIncluded>FR BE</CountriesIncluded>", "21"),
        ("<RegionsIncluded>WORLD</RegionsIncluded>", "21"),
        ("<RegionsIncluded>WORLD</RegionsIncluded><CountriesExcluded>BE CH CA</CountriesExcluded>", "20"),
        ("<RegionsIncluded>BE-WAL BE-BRU</RegionsIncluded>", "21"),
        ("<RegionsIncluded>ECZ</RegionsIncluded>", "21"),
        ("<CountriesIncluded>CA</CountriesIncluded>", "20"),
    ],
)
def test_supply_is_that_of_our_market(market: str, availability: str) -> None:
    french = "<Market><Territory><CountriesIncluded>FR</CountriesIncluded></Territory></Market>"
    ours = (
        f"<ProductSupply><Market><Territory>{market}</Territory></Market>"
        "<SupplyDetail><ProductAvailability>21</ProductAvailability></SupplyDetail></ProductSupply></Product>"
    )
    assert only(message(product(market=french).replace("</Product>", ours))).availability == availability


def test_record_without_supply_is_not_said_to_be_available() -> None:
    raw = message(product()).replace(b"ProductSupply>", b"NoSupply>")
    record = only(raw)
    assert (record.availability, record.price) == ("", None)
