from sharp_xr.stream.acks import Acks

LAST = (1 << 32) - 1


def in_flight(*keys: int) -> Acks:
    acks = Acks()
    for n, key in enumerate(keys):
        acks.sent(key, size=100, now_s=float(n))
    return acks


def test_an_acknowledgement_covers_the_frames_before_it() -> None:
    acks = in_flight(10, 20, 30, 40)
    delivery = acks.acknowledged(30, now_s=5.0)
    assert delivery is not None
    assert (delivery.lag_s, delivery.size) == (3.0, 300)
    assert acks.in_flight() == 1
    assert acks.oldest_age_s(now_s=5.0) == 2.0


def test_a_repeated_an_old_and_an_invented_acknowledgement_are_no_news() -> None:
    acks = in_flight(10, 20, 30)
    assert acks.acknowledged(20, 5.0) is not None
    assert acks.acknowledged(20, 6.0) is None
    assert acks.acknowledged(10, 6.0) is None
    assert acks.acknowledged(25, 6.0) is None
    assert acks.in_flight() == 1


def test_acknowledgements_go_on_when_keys_wrap() -> None:
    acks = in_flight(LAST, 5)
    assert acks.acknowledged(LAST, 2.0) is not None
    assert acks.acknowledged(5, 2.0) is not None
    assert acks.in_flight() == 0
    assert acks.oldest_age_s(9.0) == 0.0


def test_a_client_that_never_acknowledges_costs_bounded_memory() -> None:
    acks = in_flight(*range(5000))
    assert acks.in_flight() == 1024
