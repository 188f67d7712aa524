"""Bent files and bent questions, at random: a hundred each time, ten thousand with FUZZ=10000.

FUZZ=10000 SEED=2 make test ARGS="tests/catalog/test_fuzz.py"
"""

import os
import random
import time
from copy import deepcopy
from io import BytesIO, StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from lxml import etree

from catalog import onix
from catalog.importing import Summary, take_in
from tests.catalog.samples import REAL_FILES, TODAY, message, product
from tests.factories import CollectivityFactory, UserFactory

pytestmark = pytest.mark.django_db

COUNT = int(os.environ.get("FUZZ", 100))
SEED = os.environ.get("SEED", "1")
# Seconds, on a machine that has other things to do.
TOO_LONG = 5.0
PIECES = [
    b"<", b">", b"</", b"&", b"&amp;", b"&#0;", b"&#x1F4DA;", b"&e;", b"]]>", b"<![CDATA[", b"<!--", b"<?xml?>",
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b"9" * 30, b"-1", b"1e99", b"NaN", b"20261399", b"'\"",
    b"xmlns='x'", b"a" * 3000, b"<!DOCTYPE x [<!ENTITY e 'f'>]>", b"<Product>", b"</Product>", b"<TitleText>",
    "é".encode(), "﷽".encode(),
]  # fmt: skip
ODD = ["", "-1", "0", "9" * 40, "1e999", "NaN", "²", "20260231", "a" * 3000, "<b>", "﷽", "05", "04", "080442957X"]
WORDS = ["etranger", "le", "l’", "livre", "978", "9782362210419", "2-07-036002-4", "craie", "%", "_", "\\", "'", "é"]
SIGNS = "&|!():*<>-;,.\u00a0\u200b\x00\n\t📚œŒßİı﷽½²①Ａ漢字аб"


def bend(raw: bytes, chance: random.Random) -> bytes:
    """Some bytes cut out, doubled, moved, replaced, or something hostile put between."""
    for _ in range(chance.randint(1, 5)):
        at, to = sorted(chance.choices(range(len(raw) + 1), k=2))
        to = min(to, at + chance.choice([1, 4, 30, 400]))
        raw = chance.choice(
            [
                lambda a, b, c: a + c,
                lambda a, b, c: a + b + b + c,
                lambda a, b, c: c[:500] + a + b,
                lambda a, b, c: a + chance.choice(PIECES) + b + c,
                lambda a, b, c: a + bytes(chance.randrange(256) for _ in b) + c,
                lambda a, b, c: a,
            ]
        )(raw[:at], raw[at:to], raw[to:])
    return raw


def bend_tree(raw: bytes, chance: random.Random) -> bytes:
    """Still XML: elements left out, doubled, moved, renamed, or saying something odd."""
    root = etree.fromstring(raw)
    for _ in range(chance.randint(1, 6)):
        elements = [element for element in root.iter(etree.Element) if element is not root]
        if not elements:
            break
        one, other = chance.choice(elements), chance.choice(elements)
        match chance.randrange(5):
            case 0:
                one.getparent().remove(one)
            case 1:
                one.addnext(deepcopy(one))
            case 2:
                other.append(deepcopy(one))
            case 3:
                one.tag = other.tag
            case 4:
                one.text = chance.choice(ODD)
    return etree.tostring(root)


def test_bent_files_are_taken_in_rejected_or_refused() -> None:
    chance = random.Random(SEED)
    small = [path.read_bytes() for path in sorted(REAL_FILES.rglob("*.xml")) if path.stat().st_size < 20_000]
    samples = [message(product() * 2), *small]
    slowest, outcomes = 0.0, {"read": 0, "refused": 0}
    for _ in range(COUNT):
        raw = chance.choice([bend, bend_tree])(chance.choice(samples), chance)
        started, summary = time.monotonic(), Summary()
        try:
            for _ in take_in(onix.read(BytesIO(raw), country="BE", today=TODAY), summary):
                pass
            outcomes["read"] += 1
        except onix.NotOnix as refusal:
            assert str(refusal)
            outcomes["refused"] += 1
        slowest = max(slowest, time.monotonic() - started)
    assert (sum(outcomes.values()), slowest < TOO_LONG) == (COUNT, True)
    # Neither all nor none: the bending bends something.
    assert min(outcomes.values()) > COUNT / 20


def typed(chance: random.Random) -> str:
    parts = [
        chance.choice(WORDS)
        if chance.random() < 0.5
        else "".join(chance.choice(SIGNS + "aeiourstln0123456789 ") for _ in range(chance.randint(1, 30)))
        for _ in range(chance.choice([1, 1, 2, 3, 8, 60]))
    ]
    return chance.choice(["", " ", "-"]).join(parts)


def test_bent_questions_are_answered(client: Client) -> None:
    call_command("import_books", str(settings.BASE_DIR / "catalog/demo/catalogue.xml"), stdout=StringIO())
    client.force_login(UserFactory(collectivity=CollectivityFactory()))
    chance, slowest, found = random.Random(SEED), 0.0, 0
    answers = set()
    for _ in range(COUNT):
        question = typed(chance)
        started = time.monotonic()
        page = client.get("/order/grouped/new/", {"q": question})
        slowest = max(slowest, time.monotonic() - started)
        answers.add(page.status_code)
        found += b'class="results"' in page.content
    assert (answers <= {200, 302}, slowest < TOO_LONG) == (True, True)
    assert found > COUNT / 20
