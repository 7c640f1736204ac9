"""Our distances and our way to Inception against torch-fidelity's, with a small random network in Inception's place."""

import importlib.util
import sys
from types import ModuleType
from urllib.error import URLError

import pytest
import torch
from torch import nn

import nacre
from nacre.errors import NacreError
from nacre.metrics import features, inception
from nacre.metrics.frechet import frechet_distance
from nacre.metrics.inception_score import score
from nacre.metrics.kernel_distance import discrepancy
from nacre.metrics.precision_recall import precision_recall


@pytest.fixture(scope="module", autouse=True)
def torch_fidelity():
    """The package; its import asks for torchvision, of which nothing is used here."""
    patch = pytest.MonkeyPatch()
    if importlib.util.find_spec("torchvision") is None:
        names = ("torchvision", "torchvision.datasets", "torchvision.transforms", "torchvision.transforms.functional")
        for name in names:
            patch.setitem(sys.modules, name, ModuleType(name))
        for name in ("CIFAR10", "CIFAR100", "STL10"):
            setattr(sys.modules["torchvision.datasets"], name, type(name, (), {}))
    import torch_fidelity

    yield torch_fidelity
    patch.undo()


@pytest.fixture
def stand_in(monkeypatch):
    """A small random network with the interface of Inception, for torch-fidelity and for us."""
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor

    class StandIn(FeatureExtractorBase):
        def __init__(self, name, features_list, **_):
            super().__init__(name, features_list)
            with torch.random.fork_rng():
                torch.manual_seed(0)
                self.body = nn.Sequential(nn.Conv2d(3, 16, 5, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
                self.head = nn.Linear(64, 10)
            self.requires_grad_(False)

        @staticmethod
        def get_provided_features_list():
            return tuple(inception.LAYERS)

        @staticmethod
        def get_default_feature_layer_for_metric(metric):
            return inception.LAYERS[metric == "isc"]

        def forward(self, x):
            assert x.dtype == torch.uint8
            assert x.shape[1] == 3
            deep = self.body(x.float() / 32)
            outputs = {"2048": deep, "logits_unbiased": self.head(deep)}
            return tuple(outputs[name] for name in self.features_list)

    FEATURE_EXTRACTORS_REGISTRY.pop("stand-in", None)
    register_feature_extractor("stand-in", StandIn)
    network = StandIn("stand-in", inception.LAYERS)
    monkeypatch.setattr(inception, "network", lambda: network)
    return network


class Pictures(torch.utils.data.Dataset):
    def __init__(self, x):
        self.x = x

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i]


def pictures(n, seed, brightness=1.0):
    shade = torch.rand(n, 3, 1, 1, generator=torch.Generator().manual_seed(seed))
    noise = torch.rand(n, 3, 16, 16, generator=torch.Generator().manual_seed(seed + 100))
    return (brightness * 255 * shade * noise).byte()


def test_the_distances_agree_on_the_same_features():
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    a, b = torch.randn(300, 16).double(), (0.8 * torch.randn(300, 16) + 0.2).double()
    fid = fid_statistics_to_metric(fid_features_to_statistics(a), fid_features_to_statistics(b), False)
    assert frechet_distance(a, b) == pytest.approx(fid["frechet_inception_distance"], rel=1e-9)
    kid = kid_features_to_metric(a, b, kid_subsets=1, kid_subset_size=300)
    assert discrepancy(a, b) == pytest.approx(kid["kernel_inception_distance_mean"], rel=1e-9)
    prc = prc_features_to_metric(b, a)
    assert precision_recall(a, b) == pytest.approx((prc["precision"], prc["recall"]), abs=1e-6)  # theirs are float32
    isc = isc_features_to_metric(a, splits=3, shuffle=False)
    scores = [float(score(part.softmax(1))) for part in a.split(100)]
    assert sum(scores) / 3 == pytest.approx(isc["inception_score_mean"], rel=1e-9)


def test_whole_evaluations_agree(torch_fidelity, stand_in):
    real, samples = pictures(240, 0), pictures(240, 1, 0.9)
    theirs = torch_fidelity.calculate_metrics(
        input1=Pictures(samples), input2=Pictures(real),
        feature_extractor="stand-in", fid=True, kid=True, isc=True, prc=True, kid_subsets=400, kid_subset_size=120,
        isc_splits=10, cuda=False, cache=False, verbose=False, save_cpu_ram=True,
    )  # fmt: skip
    metrics = ["frechet", "kernel_distance", "inception_score", "precision_recall"]
    ours = nacre.evaluate(samples, real, metrics, features="inception")
    assert ours.get("frechet").value == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    error = theirs["kernel_inception_distance_std"] / 100**0.5  # theirs and ours draw other subsets
    assert ours.get("kernel_distance").value == pytest.approx(theirs["kernel_inception_distance_mean"], abs=4 * error)
    for name in ("precision", "recall"):
        assert ours.get(name).value == pytest.approx(theirs[name], abs=2 / 240)
    spread = theirs["inception_score_std"]
    assert ours.get("inception_score").value == pytest.approx(theirs["inception_score_mean"], abs=2 * spread)
    assert ours[0].protocol.resize == "299x299"
    assert ours[0].protocol.features == f"inception-v3 {inception.digest_of(stand_in)}"
    assert not any("grey" in warning for warning in ours.warnings)


def test_grey_images_are_repeated_with_a_warning(stand_in):
    grey = pictures(60, 0)[:, :1]
    (result,) = nacre.evaluate(grey, grey, ["frechet"], features="inception")
    assert any("grey images were repeated" in warning for warning in result.warnings)
    assert any("60 examples are few for a covariance of 64" in warning for warning in result.warnings)
    extract = features.extractor(nacre.load_data(grey), "inception")
    assert torch.equal(extract(grey / 255), stand_in(grey.expand(-1, 3, -1, -1))[0].double())


def test_other_data_are_refused(stand_in):
    with pytest.raises(NacreError, match="images of 1 or 3 channels"):
        nacre.evaluate(torch.rand(20, 5), torch.rand(20, 5), ["frechet"], features="inception")
    with pytest.raises(NacreError, match=r"1 or 3 channels and not \(2, 8, 8\)"):
        features.extractor(nacre.load_data(torch.rand(20, 2, 8, 8)), "inception")


def test_the_real_network_reads_weights_from_a_path(monkeypatch, tmp_path):
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    path = tmp_path / "weights.pth"
    with monkeypatch.context() as patch:
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(nn.Module, "load_state_dict", lambda *_: None)
        blank = theirs.FeatureExtractorInceptionV3("blank", inception.LAYERS)
    torch.save(blank.state_dict(), path)
    monkeypatch.setenv("NACRE_INCEPTION", str(path))
    x = pictures(2, 0)
    extract = features.extractor(nacre.load_data(x), "inception")
    wanted, logits = blank(x)
    assert extract.digest == inception.digest_of(blank)
    assert extract(x / 255).shape == (2, 2048)
    assert torch.allclose(extract(x / 255), wanted.double())
    assert torch.allclose(extract.classify(x / 255), logits.softmax(1))


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    def offline(*_, **__):
        raise URLError("no network")

    monkeypatch.delenv("NACRE_INCEPTION", raising=False)
    monkeypatch.setattr(theirs, "load_state_dict_from_url", offline)
    with pytest.raises(NacreError, match=r"cannot be fetched \(no network\).*NACRE_INCEPTION"):
        inception.network()
    for content in (None, b"", b"no weights"):
        path = tmp_path / f"{content}.pth"
        if content is not None:
            path.write_bytes(content)
        monkeypatch.setenv("NACRE_INCEPTION", str(path))
        with pytest.raises(NacreError, match="does not hold the weights of Inception"):
            inception.network()
    monkeypatch.setitem(sys.modules, theirs.__name__, None)
    with pytest.raises(NacreError, match=r"pip install .nacre\[fid\]"):
        inception.network()
