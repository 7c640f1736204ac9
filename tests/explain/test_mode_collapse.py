"""Small games watched over time: what is counted, and that a game that diverges ends its own row only."""

import torch

from nacre.data.toy import density
from nacre.errors import NacreError
from nacre.explain.mode_collapse import MOMENTS, OPTIONS, Watch, drawn, held, lost, moments, page, table
from nacre.losses.adversarial import GAMES
from nacre.metrics.modes import judged


def watch(steps=600):
    ring = density("ring")
    return Watch(ring, steps)


def test_every_game_has_a_row():
    assert list(OPTIONS) == list(GAMES)


def test_the_last_moment_is_the_last_step():
    for steps in (60, 600, 3000):
        every = steps // MOMENTS
        assert moments(steps)[-1] == steps and all(at % every == 0 for at in moments(steps))


def test_a_mode_is_lost_when_it_had_its_share_and_has_none():
    seen = watch()
    seen.shares = [[1 / 8] * 8, [0.0, 2 / 8] + [1 / 8] * 6, [1 / 8] * 8, [0.0] * 4 + [1 / 4] * 4]
    assert lost(seen) == 1 + 4
    assert held(seen) == 0  # the last third is not reached
    seen.shares = [[1 / 8] * 8] * 40 + [[1 / 4] * 4 + [0.0] * 4] * 10 + [[1.0] + [0.0] * 7] * 10
    assert held(seen) == 2.5
    seen.shares = [[0.05, 0.95] + [0.0] * 6, [0.0, 1.0] + [0.0] * 6]  # it never had half of its share
    assert lost(seen) == 0


def test_a_game_that_diverged_says_so():
    whole, broken = watch(), watch()
    x = whole.mixture.sample(300)
    for at in moments(600):
        whole.seen[at] = x, judged(x.double(), whole.mixture)
    whole.shares = [judged(x.double(), whole.mixture).shares] * MOMENTS
    runs = {"minimax": whole, "hinge": broken}
    modes, none = table(runs, 600, lambda found: found.modes)
    assert modes["600"] == 8 and none["600"] == "diverged"
    drawn(runs, 600)


def test_a_page_of_one_game():
    modes, within, *_ = page(steps=60, games=("relativistic",)).tables.values()
    assert [row["game"] for row in modes] == ["relativistic"]
    assert all(0 <= row["60"] <= 8 for row in modes) and all(0 <= row["60"] <= 1 for row in within)


def test_what_does_not_exist_is_refused():
    for options in ({"games": ("chess",)}, {"steps": 59}, {"steps": 170, "quick": True}, {"pace": 0.0}, {"games": ()}):
        try:
            page(**options)
        except NacreError:
            continue
        raise AssertionError(options)


def test_watching_draws_from_its_own_seed():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)

    class Trainer:
        step = 10

        class model:  # noqa: N801
            @staticmethod
            def sample(n, seed):
                return density("ring").sample(n, seed)

    seen = watch()
    seen.step(Trainer)
    assert torch.equal(torch.rand(1), expected) and len(seen.shares) == 1
