"""Whatever LIBRISOFT may say of an order: it is read or refused, and never holds up the reading of the others."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from librisoft_bridge import answers
from librisoft_bridge.models import ShopOrder, StatusChange
from tests.librisoft_bridge.story import NOW, hand_over

AWKWARD = st.sampled_from(["\ud800", "\x00", "9999-12-31T23:59:59-12:00", "2026-11-24", "٣"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | AWKWARD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
LINE = st.fixed_dictionaries({}, optional={"line_number": st.just(1) | ANYTHING, "received": ANYTHING})
STATUS = st.fixed_dictionaries(
    {}, optional={"code": ANYTHING, "label": ANYTHING, "sequence": st.integers(1, 5) | ANYTHING, "updated_at": ANYTHING}
)


class Said(TestCase):
    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_anything(self, data: st.DataObject) -> None:
        order = hand_over()
        entry = data.draw(
            st.fixed_dictionaries(
                {"web_order_number": st.just(str(order.pk)) | ANYTHING},
                optional={
                    "librisoft_order_id": st.just("6767") | ANYTHING,
                    "refused": ANYTHING,
                    "status": STATUS | ANYTHING,
                    "lines": st.lists(LINE, max_size=2) | ANYTHING,
                    "expected_date": ANYTHING,
                },
            )
        )
        answers.take_in(json.dumps([entry]).encode(), ".json", now=NOW)
        list(ShopOrder.objects.all())
        list(StatusChange.objects.all())
