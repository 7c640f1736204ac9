"""What the log calls the terms, and what it says of them."""

from types import SimpleNamespace

import pytest
import torch

from nacre.engine.ledger import Ledger
from nacre.engine.play import DivergedError


def turn(name: str, check_now: bool = True) -> SimpleNamespace:
    return SimpleNamespace(turn=SimpleNamespace(name=name), check_now=check_now)


def terms(**values: float) -> list[tuple[str, torch.Tensor]]:
    return [(name, torch.tensor(value)) for name, value in values.items()]


@pytest.mark.parametrize("check_now", [True, False])
def test_a_column_is_the_mean_since_the_last_line(check_now):
    ledger, play = Ledger(), turn("elbo", check_now)
    for step, (kl, error) in enumerate([(1.0, 10.0), (2.0, 20.0), (6.0, 30.0)]):
        ledger.note(step, play, terms(kl=kl, error=error))
    assert ledger.means() == {"kl": 3.0, "error": 20.0}
    assert ledger.means() == {}
    ledger.note(4, play, terms(kl=7.0))
    assert ledger.means() == {"kl": 7.0}


def test_a_repeated_turn_is_one_column():
    ledger, critic, generator = Ledger(), turn("critic_loss"), turn("generator_loss")
    for value in (1.0, 3.0):
        ledger.note(1, critic, terms(critic_loss=value))
    ledger.note(1, generator, terms(generator_loss=5.0))
    assert ledger.means() == {"critic_loss": 2.0, "generator_loss": 5.0}


def test_terms_of_one_name_in_two_turns_get_their_turns_name():
    ledger = Ledger()
    ledger.note(1, turn("first"), terms(cycle=1.0, own=2.0))
    ledger.note(1, turn("second"), terms(cycle=3.0))
    assert ledger.means() == {"first cycle": 1.0, "own": 2.0, "second cycle": 3.0}


@pytest.mark.parametrize("check_now", [True, False])
def test_a_term_that_is_not_finite_is_named(check_now):
    ledger = Ledger()
    ledger.note(6, turn("elbo", check_now), terms(kl=1.0))
    ledger.note(7, turn("elbo", check_now), terms(kl=float("nan")))
    with pytest.raises(DivergedError, match=r"term 'kl' of turn 'elbo' is nan at step 7"):
        ledger.means()
