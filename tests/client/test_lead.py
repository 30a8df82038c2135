"""How far ahead of a picture a head is located."""

from sharp_xr_client.lead import LIMIT_NS, Lead

PERIOD_NS = 16_666_667


def test_nothing_is_predicted_before_a_frame_came() -> None:
    assert Lead().ns == 0


def test_it_settles_where_frames_come_three_pictures_late() -> None:
    lead = Lead()
    for frame in range(40):
        lead.saw(frame * PERIOD_NS, (frame + 3) * PERIOD_NS)
    assert lead.ns == 3 * PERIOD_NS


def test_one_hitch_in_three_moves_nothing() -> None:
    lead = Lead()
    for frame in range(31):
        late = 40 if frame % 3 == 0 else 2
        lead.saw(frame * PERIOD_NS, (frame + late) * PERIOD_NS)
    assert lead.ns == 2 * PERIOD_NS


def test_it_follows_a_link_that_became_slower() -> None:
    lead = Lead()
    for late in (1,) * 100 + (4,) * 16:
        lead.saw(0, late * PERIOD_NS)
    assert lead.ns == 4 * PERIOD_NS


def test_it_never_leaves_its_bounds() -> None:
    lead = Lead()
    lead.saw(PERIOD_NS, 0)  # a runtime whose display times went back
    assert lead.ns == 0
    for _ in range(40):
        lead.saw(0, 10**12)
    assert lead.ns == LIMIT_NS
