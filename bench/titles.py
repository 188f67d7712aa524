# ruff: noqa: E501, SIM905 - lists of words and a message, as they are read best
"""A French bookshop's catalogue that nobody wrote: the same seed gives the same books.

Words follow Zipf's law over a vocabulary of 60 000: the first, « histoire », stands in a fifth of the titles, which is
harsher than any real catalogue. The frequent ones are real words; the others are made of French syllables.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from typing import Any

VOCABULARY = 60_000
SURNAMES = 40_000
PUBLISHERS = 3_000

_FREQUENT = """
histoire vie monde petit livre guide grand temps amour art femmes cahier france jour droit enfants homme voyage guerre
cœur école nuit cuisine mer secret roman cahiers maison santé recettes méthode français jardin mort ville chemin paris
anglais lumière siècle musique lettres œuvres théâtre nature société éducation mémoire contes politique terre
dictionnaire animaux économie poésie rêve philosophie sciences mathématiques ombre fille étoiles géographie pays montagne
aventures atlas pouvoir langue culture famille corps dragon bonheur île pierre sang forêt roi justice peinture soleil
étranger introduction exercices révolution liberté église psychologie travail énigme entreprise fleurs chasse prince
chevalier sorcière princesse loup chat chien cheval oiseaux magie mystère disparu silence mensonge vérité promesse retour
dernier première nouveaux vieux rouge noir blanc bleu vert étrange invisible perdu oublié éternel sauvage moderne ancien
contemporain illustré pratique complet facile coloriages activités histoires légendes mythologie littérature
""".split()
_ONSETS = "b bl br c ch cl cr d dr f fl fr g gl gr j l m n p pl pr qu r s st t tr v".split()
_VOWELS = "a a ai an au e e é é è i in o on ou u oi eu".split()
_ENDS = [
    "",
    "",
    "",
    "r",
    "s",
    "t",
    "l",
    "n",
    "que",
    "ment",
    "tion",
    "eur",
    "euse",
    "age",
    "elle",
    "ette",
    "isme",
    "ard",
]
_LINKS = [
    "de",
    "de la",
    "du",
    "des",
    "et",
    "et le",
    "et la",
    "à la",
    "au",
    "dans la",
    "sur le",
    "sans",
    "pour les",
    "d’un",
]
_OPENINGS = ["", "", "", "Le ", "La ", "Les ", "Un ", "Une ", "Des ", "Mon ", "Petit traité de ", "Au nom du "]
_FIRST_NAMES = """
Jean Marie Pierre Anne Paul Sophie Jacques Claire Michel Julie Albert Nathalie Victor Isabelle Louis Camille Antoine
Émile Françoise Hélène Guy Léa Théo Zoé Hugo Inès Noël Élise Marc Luc Yves Agnès Denis Odile René Simone Alain Laure
Éric Manon Benoît Chloé Gérard Lucie Henri Alice Bruno Emma Cédric Jeanne Damien Rose Fabien Louise Gilles Céline
""".split()
_KNOWN_NAMES = """
Martin Bernard Dubois Thomas Robert Richard Petit Durand Leroy Moreau Simon Laurent Lefebvre Michel Garcia David Bertrand
Roux Vincent Fournier Morel Girard André Lefèvre Mercier Dupont Lambert Bonnet François Martinez Legrand Garnier Faure
""".split()
_SERIES = ["Folio", "Poche", "Classiques", "Jeunesse", "Découvertes", "Repères", "Champs", "Essais", "Points", "Babel"]
_STOCK = ["21"] * 16 + ["20"] * 3 + ["22"] * 2 + ["31", "32", "40", "51", "51", "10"]
LAST_DAY = date(2026, 11, 1)


@dataclass(frozen=True)
class Title:
    """What one record of the catalogue says."""

    ean13: str
    title: str
    subtitle: str
    names: list[tuple[str, str]]
    publisher: str
    collection: str
    published: date
    price: str
    availability: str
    form: str
    summary: str


def titles(count: int, seed: int = 1) -> Iterator[Title]:
    """So many books, of 979-10 and 978-2, no two with the same number; those of `seed` are always the same."""
    chance = random.Random(seed)
    words = _Draw(chance, _vocabulary(chance, VOCABULARY, _FREQUENT))
    surnames = _Draw(chance, [name.capitalize() for name in _vocabulary(chance, SURNAMES, _KNOWN_NAMES)], flatness=20)
    publishers = _Draw(chance, [f"{name.upper()} ÉDITIONS" for name in _vocabulary(chance, PUBLISHERS, [])], flatness=3)
    for number in range(count):
        names = [(chance.choice(_FIRST_NAMES), surnames.one()) for _ in range(1 if chance.random() < 0.8 else 2)]
        yield Title(
            ean13=_ean13(number),
            title=_title(chance, words),
            subtitle=" ".join(words.some(3)) if chance.random() < 0.25 else "",
            names=names,
            publisher=publishers.one(),
            collection=f"{chance.choice(_SERIES)} {publishers.one().split()[0].lower()}"
            if chance.random() < 0.4
            else "",
            # Half of what is on sale came out in the last eight years.
            published=LAST_DAY - timedelta(days=int(chance.expovariate(1 / 4200))),
            price=f"{chance.randint(5, 45)}.{chance.choice(['00', '50', '90', '95'])}",
            availability=chance.choice(_STOCK),
            form=chance.choice(["BC", "BC", "BC", "BB", "BH"]),
            summary=" ".join(words.some(60)) + ".",
        )


def _title(chance: random.Random, words: "_Draw") -> str:
    """One to six words of Zipf's vocabulary, tied by the little words that titles are full of."""
    count = chance.choices((1, 2, 3, 4, 5, 6), weights=(8, 30, 32, 17, 9, 4))[0]
    parts: list[str] = []
    for word in words.some(count):
        if parts and chance.random() < 0.6:
            parts.append(chance.choice(_LINKS))
        parts.append(word)
    text = chance.choice(_OPENINGS) + " ".join(parts)
    text = text[0].upper() + text[1:]
    part = chance.random()
    return f"{text}, tome {chance.randint(1, 12)}" if part < 0.06 else text.upper() if part > 0.9 else text


def _vocabulary(chance: random.Random, size: int, first: list[str]) -> list[str]:
    made = dict.fromkeys(first)
    while len(made) < size:
        syllables = chance.choices((1, 2, 3), weights=(25, 60, 15))[0]
        word = "".join(chance.choice(_ONSETS) + chance.choice(_VOWELS) for _ in range(syllables)) + chance.choice(_ENDS)
        if len(word) > 3:
            made[word] = None
            if chance.random() < 0.2:  # its plural is another word
                made[f"{word}s"] = None
    return list(made)[:size]


class _Draw:
    """Words drawn by Zipf's law: the nth is n times rarer than the first (`flatness` makes the first ones alike)."""

    def __init__(self, chance: random.Random, words: list[str], flatness: int = 0) -> None:
        self._chance, self._words = chance, words
        self._weights = list(accumulate(1 / (rank + 1 + flatness) for rank in range(len(words))))
        self._drawn: list[str] = []

    def one(self) -> str:
        return self.some(1)[0]

    def some(self, count: int) -> list[str]:
        if len(self._drawn) < count:
            self._drawn = self._chance.choices(self._words, cum_weights=self._weights, k=50_000)
        taken = self._drawn[-count:]
        del self._drawn[-count:]
        return taken


def _ean13(number: int) -> str:
    """The nth number of two ranges of the French trade, its check digit right."""
    digits = f"9782{number:08}" if number < 10**8 else f"97910{number - 10**8:07}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def onix(title: Title) -> str:
    """The record as a distributor writes it."""
    said: dict[str, Any] = {
        "a": title,
        "names": "".join(
            f"<Contributor><SequenceNumber>{place}</SequenceNumber><ContributorRole>A01</ContributorRole>"
            f"<NamesBeforeKey>{first}</NamesBeforeKey><KeyNames>{last}</KeyNames></Contributor>"
            for place, (first, last) in enumerate(title.names, 1)
        ),
        "subtitle": f"<Subtitle>{title.subtitle}</Subtitle>" if title.subtitle else "",
        "collection": _COLLECTION.format(title.collection) if title.collection else "",
    }
    return _PRODUCT.format(**said)


_COLLECTION = (
    "<Collection><CollectionType>10</CollectionType><TitleDetail><TitleType>01</TitleType><TitleElement>"
    "<TitleElementLevel>02</TitleElementLevel><TitleText>{}</TitleText></TitleElement></TitleDetail></Collection>"
)
_PRODUCT = """<Product><RecordReference>bench-{a.ean13}</RecordReference><NotificationType>03</NotificationType>
<ProductIdentifier><ProductIDType>03</ProductIDType><IDValue>{a.ean13}</IDValue></ProductIdentifier>
<ProductIdentifier><ProductIDType>15</ProductIDType><IDValue>{a.ean13}</IDValue></ProductIdentifier>
<DescriptiveDetail><ProductComposition>00</ProductComposition><ProductForm>{a.form}</ProductForm>
<Measure><MeasureType>01</MeasureType><Measurement>180</Measurement><MeasureUnitCode>mm</MeasureUnitCode></Measure>
<Measure><MeasureType>02</MeasureType><Measurement>11</Measurement><MeasureUnitCode>cm</MeasureUnitCode></Measure>
<Measure><MeasureType>08</MeasureType><Measurement>210</Measurement><MeasureUnitCode>gr</MeasureUnitCode></Measure>
{collection}<TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>
<TitleText>{a.title}</TitleText>{subtitle}</TitleElement></TitleDetail>{names}
<Language><LanguageRole>01</LanguageRole><LanguageCode>fre</LanguageCode></Language>
<Extent><ExtentType>00</ExtentType><ExtentValue>224</ExtentValue><ExtentUnit>03</ExtentUnit></Extent>
<Subject><MainSubject/><SubjectSchemeIdentifier>29</SubjectSchemeIdentifier><SubjectCode>3443</SubjectCode></Subject>
<Subject><SubjectSchemeIdentifier>93</SubjectSchemeIdentifier><SubjectCode>FBA</SubjectCode></Subject>
</DescriptiveDetail><CollateralDetail><TextContent><TextType>03</TextType><ContentAudience>00</ContentAudience>
<Text textformat="02">&lt;p&gt;{a.summary}&lt;/p&gt;</Text></TextContent>
<SupportingResource><ResourceContentType>01</ResourceContentType><ContentAudience>00</ContentAudience>
<ResourceMode>03</ResourceMode><ResourceVersion><ResourceForm>01</ResourceForm>
<ResourceLink>https://images.example/{a.ean13}.jpg</ResourceLink></ResourceVersion></SupportingResource>
</CollateralDetail><PublishingDetail><Imprint><ImprintName>{a.publisher}</ImprintName></Imprint>
<PublishingDate><PublishingDateRole>01</PublishingDateRole><Date dateformat="00">{a.published:%Y%m%d}</Date></PublishingDate>
</PublishingDetail><ProductSupply><Market><Territory><RegionsIncluded>WORLD</RegionsIncluded></Territory></Market>
<SupplyDetail><Supplier><SupplierRole>01</SupplierRole><SupplierName>{a.publisher}</SupplierName></Supplier>
<ProductAvailability>{a.availability}</ProductAvailability><Price><PriceType>04</PriceType>
<PriceAmount>{a.price}</PriceAmount><Tax><TaxType>01</TaxType><TaxRateCode>R</TaxRateCode>
<TaxRatePercent>5.50</TaxRatePercent></Tax><CurrencyCode>EUR</CurrencyCode></Price></SupplyDetail></ProductSupply>
</Product>
"""
