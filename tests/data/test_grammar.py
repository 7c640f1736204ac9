"""The grammar: its parser against a chart parser, its law against enumeration, and what load_data makes of it."""

import itertools
import math

import pytest
import torch

import nacre
from nacre.data.grammar import Grammar
from nacre.data.strings import strings

SMALL = Grammar(length=6)


def derives(text):
    """CYK on the five rules: S at [i, j) is x, or S operator S."""
    spans = {(i, i + 1) for i, symbol in enumerate(text) if symbol == "x"}
    for width in range(3, len(text) + 1):
        for i in range(len(text) - width + 1):
            j = i + width
            if any(text[m] in "+-*/" and {(i, m), (m + 1, j)} <= spans for m in range(i + 1, j - 1)):
                spans.add((i, j))
    return (0, len(text)) in spans and len(text) > 0


@pytest.fixture(scope="module")
def every():
    """All 6^6 rows of symbols."""
    return torch.tensor(list(itertools.product(range(6), repeat=6)), dtype=torch.float32)


def test_the_parser_is_that_of_the_rules(every):
    """On every string of up to six places: blanks within are no part of the language."""
    rows = every[torch.randperm(len(every), generator=torch.Generator().manual_seed(0))[:4000]]
    rows = torch.cat([rows, every[SMALL.accepts(every)], every[(every[:, 3:] == 0).all(1)]])
    spec = nacre.load_data("grammar").spec
    expected = [derives(text) for text in strings(rows, spec)]
    assert SMALL.accepts(rows).tolist() == expected
    assert len({text for text in strings(rows, spec) if derives(text)}) == SMALL.count


def test_there_are_finitely_many_strings_and_their_probabilities_sum_to_one(every):
    valid = SMALL.accepts(every)
    assert int(valid.sum()) == SMALL.count == 1 + 4 + 16
    assert Grammar().count == sum(4 ** ((length - 1) // 2) for length in range(1, 12, 2)) == 1365
    log_p = SMALL.log_prob(every[valid]).double()
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-6)
    assert -(log_p.exp() * log_p).sum().item() == pytest.approx(SMALL.entropy, abs=1e-6)
    assert (SMALL.log_prob(every[~valid]) == -math.inf).all()
    assert SMALL.length_law().sum().item() == pytest.approx(1)


def test_samples_follow_the_law():
    grammar = Grammar()
    x = grammar.sample(20_000, seed=3)
    assert grammar.accepts(x).all()
    cost = -grammar.log_prob(x).double()
    assert cost.mean().item() == pytest.approx(grammar.entropy, abs=5 * cost.std().item() / len(x) ** 0.5)
    shares = grammar.lengths(x).bincount(minlength=13).double() / len(x)
    assert (shares - grammar.length_law()).abs().max() < 0.015


def test_load_data():
    data = nacre.load_data("grammar")
    assert data.spec.kind == "sequence" and data.spec.shape == (12,) and len(data) == 5000
    assert data.spec.categories[0] == tuple(" x+-*/") and data.density == Grammar()
    test = data.sibling("test")
    assert len(test) == 5000 and not torch.equal(test.x, data.x)
    assert torch.equal(nacre.load_data("grammar").x, data.x)
    assert not torch.equal(nacre.load_data("grammar", seed=1).x, data.x)
    assert nacre.data.spec.Spec.from_dict(data.spec.to_dict()) == data.spec


def test_other_models_refuse_strings():
    with pytest.raises(nacre.NacreError, match="strings"):
        nacre.create("vae", nacre.load_data("grammar").spec)


def test_a_text_file_is_strings(tmp_path):
    place = tmp_path / "smiles.txt"
    place.write_text("CCO\nC1CC1\n\nN#N  \n" * 10)
    data = nacre.load_data(place, split="all")
    assert data.spec.shape == (5,) and len(data) == 30 and data.density is None
    assert strings(data.x[:3], data.spec) == ["CCO", "C1CC1", "N#N"]
    assert data.spec.categories[4] == tuple(" #1CNO")
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(nacre.NacreError, match="no strings"):
        nacre.load_data(tmp_path / "empty.txt")
    (tmp_path / "long.txt").write_text("x" * 2000)
    with pytest.raises(nacre.NacreError, match="cut the strings"):
        nacre.load_data(tmp_path / "long.txt")


def test_columns_are_kept_by_name(tmp_path):
    place = tmp_path / "people.csv"
    place.write_text("age,sex,work,label\n" + "31,f,a,0\n42,m,b,1\n53,f,c,1\n" * 10)
    data = nacre.load_data(place, split="all", columns=("categories",))
    assert data.spec.columns == ("sex", "work") and data.y is not None
    one = nacre.load_data(place, columns=("work", "age"))
    assert one.spec.columns == ("age", "work") and one.sibling("test").spec.columns == ("age", "work")
    with pytest.raises(nacre.NacreError, match="no column 'height'"):
        nacre.load_data(place, columns=("height",))
    with pytest.raises(nacre.NacreError, match="no table"):
        nacre.load_data("ring", columns=("height",))
