import pytest

import nacre


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("NACRE_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def digits():
    return nacre.load_data("digits")


@pytest.fixture(scope="session")
def vae():
    return nacre.train("vae", "digits", steps=300, hidden=(64,), latent=8, progress=False)


@pytest.fixture(scope="session")
def rbm():
    return nacre.train("rbm", "digits", steps=300, hidden=16, progress=False)
