from sharp_xr.stream.losses import MUCH, Losses


def test_packets_go_out_again_while_reports_tell_of_loss() -> None:
    losses = Losses()

    def copies_after(*shares: float) -> list[int]:
        found = []
        for share in shares:
            losses.add(share)
            found.append(losses.copies)
        return found

    assert copies_after(0.008) == [0]  # once is chance
    assert copies_after(0.008, 0.02, 0.02) == [1, 1, 2]
    assert copies_after(0.0, 0.0, 0.02) == [2, 2, 2]  # nor is this anything else
    assert copies_after(0.004, 0.004, 0.004, 0.004) == [2, 2, 2, 1]
    assert copies_after(0.0, 0.0, 0.0, 0.0) == [1, 1, 1, 0]


def test_a_link_that_is_full_gets_no_copies() -> None:
    losses = Losses()
    for _ in range(5):
        losses.add(MUCH)
    assert losses.copies == 0
