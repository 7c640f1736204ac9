"""Tables as networks see them, and the likelihood over options: enumerated, drawn, cut into bins."""

import pytest
import torch

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.nets.table import TableInput, TableLikelihood, cut

NAN = float("nan")
SPEC = Spec(
    (3,),
    center=(10.0, 1.0, 0.0),
    scale=(2.0, 1.0, 1.0),
    columns=("age", "colour", "gain"),
    categories=((), ("blue", "green", "red"), ()),
    missing=("colour", "gain"),
)


def test_rows_become_numbers_one_hots_and_flags():
    made = TableInput(SPEC)
    rows = made(torch.tensor([[14.0, 2.0, 3.0], [8.0, NAN, NAN]]))
    assert rows.tolist() == [[2, 3, 0, 0, 1, 0, 0], [-1, 0, 0, 0, 0, 1, 1]]
    assert made.width == 7
    plain = TableInput(Spec.image(1, 2, 2))
    assert plain(torch.full((1, 1, 2, 2), 0.75)).tolist() == [[0.5] * 4]


def fitted(n: int = 2000) -> tuple[TableLikelihood, torch.Tensor]:
    torch.manual_seed(0)
    age = torch.randint(20, 60, (n,)).float()
    colour = torch.randint(3, (n,)).float()
    gain = torch.where(torch.rand(n) < 0.8, torch.zeros(n), torch.rand(n) * 100)
    x = torch.stack([age, colour, gain], 1)
    x[torch.rand(n) < 0.1, 1] = NAN
    x[torch.rand(n) < 0.2, 2] = NAN
    likelihood = TableLikelihood(SPEC, bins=6)
    likelihood.begin(Data(x, spec=SPEC))
    return likelihood, x


def test_probabilities_of_every_option_sum_to_one():
    likelihood, _ = fitted()
    h = torch.randn(1, likelihood.width) * 3
    options = []
    for j, number in ((0, 0), (2, 1)):
        count = int(likelihood.used_bins()[number])
        middles = ((likelihood.low + likelihood.high) / 2)[number, :count].tolist()
        options.append([*middles, NAN] if j == 2 else middles)
    rows = torch.cartesian_prod(torch.tensor(options[0]), torch.tensor([0.0, 1.0, 2.0, NAN]), torch.tensor(options[1]))
    p = (-likelihood.nll(h.expand(len(rows), -1), rows)).exp()
    assert p.sum().item() == pytest.approx(1.0, abs=1e-4)


def test_every_training_value_falls_into_its_bin():
    likelihood, x = fitted()
    target = likelihood.targets(x) - likelihood.offset
    for i, j in enumerate(likelihood.number.tolist()):
        known = x[:, j].isfinite()
        index = target[known, j]
        assert (likelihood.low[i][index] <= x[known, j]).all() and (x[known, j] <= likelihood.high[i][index]).all()
        assert index.max() < likelihood.used_bins()[i]
    assert (target[x[:, 1].isnan(), 1] == 3).all() and (target[x[:, 2].isnan(), 2] == 6).all()
    beyond = likelihood.targets(torch.tensor([[1e6, 0.0, 1e6], [-1e6, 0.0, -1e6]])) - likelihood.offset
    assert beyond[:, 0].tolist() == [int(likelihood.used_bins()[0]) - 1, 0]


def test_a_fitted_softmax_draws_the_columns_as_they_are():
    """With logits at the log-frequencies, drawn columns have the data's distribution, spikes and gaps included."""
    likelihood, x = fitted(20_000)
    counts = torch.stack([likelihood.targets(x) == k for k in range(likelihood.width)]).sum((1, 2)).float()
    h = (counts.clamp(min=1e-3) / counts.max()).log().clamp(min=-15)
    drawn = likelihood.sample(h.expand(20_000, -1))
    for j in (1, 2):
        assert drawn[:, j].isnan().float().mean().item() == pytest.approx(
            x[:, j].isnan().float().mean().item(), abs=0.02
        )
    for j in (0, 2):
        real, fake = (values[:, j][values[:, j].isfinite()].sort().values for values in (x, drawn))
        grid = torch.linspace(0.01, 0.99, 50)
        gap = (torch.quantile(real, grid) - torch.quantile(fake, grid)).abs().max()
        assert gap < 0.05 * (real.max() - real.min())
    assert (drawn[:, 0] == drawn[:, 0].round()).all(), "ages are whole"
    assert (drawn[:, 2] == 0).float().mean().item() == pytest.approx((x[:, 2] == 0).float().mean().item(), abs=0.02)
    assert not likelihood.sample(h.expand(500, -1), missing=False).isnan().any()
    assert not likelihood.mean(h.expand(2, -1)).isnan().any()


def test_cutting_gives_frequent_values_bins_of_their_own():
    values = torch.cat([torch.zeros(900), torch.linspace(1, 100, 100)])
    edges = cut(values, 5)
    assert edges[0].tolist() == [0, 0] and len(edges) <= 5
    inside = [int(((values >= low) & (values <= high)).sum()) for low, high in edges]
    assert sum(inside) == 1000 and max(inside[1:]) < 2 * min(inside[1:])
    assert cut(torch.tensor([3.0, 1.0, 3.0]), 5).tolist() == [[1, 1], [3, 3]]
    even = cut(torch.arange(1000).float(), 10)
    assert len(even) == 10 and all(90 <= high - low <= 110 for low, high in even.tolist())
