"""The training doctor: broken trainings raise the right alarm in their first third, healthy ones none."""

import json

import pytest
import torch
from games import MODELS, OPTIONS, digits, make

import nacre
from nacre.engine.callbacks import Callback
from nacre.engine.doctor import Alarm, alarms
from nacre.engine.doctor.watch import Doctor
from nacre.engine.loop import Trainer
from nacre.engine.play import DivergedError
from nacre.engine.run import RunFolder
from nacre.engine.training import Training

NETS = {"hidden": (64, 64), "latent": 8}


class Log(Callback):
    """Keeps the records."""

    def __init__(self):
        self.records = []

    def log(self, trainer, record):
        self.records.append(record)


def watched(name, data, steps, stop_at=None, seed=0, hparams=None, **options):
    """The alarms of a run, which ends at `stop_at`. Every checkup takes place, however busy the machine."""
    data = nacre.load_data(data) if isinstance(data, str) else data
    torch.manual_seed(seed)
    model = nacre.create(name, data.spec, **(hparams or {}))
    log, doctor = Log(), Doctor(budget=1e9)
    options = {"progress": False, "device": "cpu", "doctor": "off", "threads": 1, "seed": seed, **options}
    model.fit(data, steps=steps, callbacks=[doctor, log, EndAt(stop_at or steps)], **options)
    return [Alarm(**record["doctor"]) for record in log.records if "doctor" in record]


class EndAt(Callback):
    """Ends the run."""

    def __init__(self, step):
        self.every = step

    def step(self, trainer):
        trainer.end("enough", save=False)


BROKEN = {
    "collapsing GAN": ("mode collapse", "gan", "ring", 4_500, NETS, {"player_lr": {"generator": 1e-2}}),
    "discriminator 100 x as fast": (
        "discriminator too strong", "gan", "digits", 2_100, NETS, {"player_lr": {"discriminator": 2e-2}},
    ),
    "over-strong KL": ("posterior collapse", "vae", "digits", 1_500, {"hidden": (64,), "beta": 100.0}, {}),
    "too large a step": ("chains that do not mix", "rbm", "digits", 1_500, {"hidden": 64}, {"lr": 10.0}),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_the_right_alarm_in_the_first_third(case):
    ailment, name, data, steps, hparams, options = BROKEN[case]
    found = watched(name, data, steps, steps // 3, hparams=hparams, **options)
    assert [alarm.name for alarm in found] == [ailment], found
    assert found[0].since < steps / 3 and any(sign.isdigit() for sign in found[0].seen)
    assert found[0].advice and found[0].action in ("stop", "roll back")


HEALTHY = [
    ("gan", "ring", 1_500, NETS),
    ("gan", "digits", 800, {"hidden": (64, 64)}),
    ("wgan-gp", "digits", 500, {"hidden": (64, 64), "n_critic": 2}),
    ("dcgan", "digits", 500, {"channels": 8}),
    ("vae", "digits", 1_000, {"hidden": (64,)}),
    ("ae", "digits", 1_000, {"hidden": (64,)}),
    ("stacked-ae", "digits", 1_200, {"hidden": (48, 16)}),
    ("rbm", "digits", 1_000, {"hidden": 64}),
    ("rbm", "digits", 1_000, {"hidden": 64, "algorithm": "cd"}),
    ("ae", "grid", 800, {"hidden": (32,), "latent": 1}),
]


@pytest.mark.parametrize(("name", "data", "steps", "hparams"), HEALTHY)
def test_no_alarm_on_a_healthy_run(name, data, steps, hparams):
    assert watched(name, data, steps, hparams=hparams) == []


class Remember(Callback):
    """What a checkup must not change, before and after it."""

    every = 1

    def __init__(self, doctor):
        self.doctor = doctor

    def start(self, trainer):
        self.doctor.every = 1
        self.doctor.start(trainer)

    def step(self, trainer):
        before = self.state(trainer)
        self.doctor.step(trainer)
        after = self.state(trainer)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)

    def state(self, trainer):
        model = trainer.model
        values = {f"value {key}": value.clone() for key, value in [*model.named_parameters(), *model.named_buffers()]}
        values |= {f"grad {k}": p.grad.clone() for k, p in model.named_parameters() if p.grad is not None}
        values |= {f"mode {k}": torch.tensor(m.training) for k, m in model.named_modules()}
        values |= {f"hooks {k}": torch.tensor(len(m._forward_hooks)) for k, m in model.named_modules()}
        norms = [(k, m) for k, m in model.named_modules() if hasattr(m, "track_running_stats")]
        values |= {f"norm {k}": torch.tensor(m.track_running_stats) for k, m in norms}
        values["random"] = torch.get_rng_state()
        return values


@pytest.mark.parametrize("name", MODELS)
def test_a_checkup_leaves_no_trace(name):
    """Weights, buffers, gradients, modes, hooks and the random state are what they were, for every model."""
    off = make(name).fit(digits(), doctor="off", **OPTIONS).state_dict()
    remember = Remember(Doctor(budget=1e9))
    watched_ = make(name).fit(digits(), doctor="off", callbacks=[remember], **OPTIONS).state_dict()
    assert all(torch.equal(off[key], watched_[key]) for key in off)
    assert remember.doctor.references is not None


def test_compiled_losses_are_not_compiled_again():
    """Hooks and modes come back as they were, so that no guard of a compiled loss fails."""
    from torch._dynamo.testing import CompileCounter

    counts = []
    for doctor in ([], [Doctor(every=1, budget=1e9)]):
        torch._dynamo.reset()
        counter, compile_ = CompileCounter(), torch.compile
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch, "compile", lambda loss, _c=counter, _f=compile_: _f(loss, backend=_c))
            make("vae").fit(digits(), compile=True, doctor="off", callbacks=doctor, **OPTIONS)
        counts.append(counter.frame_count)
    assert counts[0] == counts[1] > 0


class Poison(Callback):
    """Make a weight infinite at a step."""

    def __init__(self, step):
        self.every = step

    def step(self, trainer):
        with torch.no_grad():
            next(trainer.model.decoder.parameters()).fill_(float("nan"))


def run_of(tmp_path, mode, callbacks=(), **options):
    torch.manual_seed(0)
    model = nacre.create("vae", digits().spec, hidden=(16,), latent=4)
    options = {**OPTIONS, "steps": 400, "checkpoint_every": 100, "ema": 0, **options}
    return model.fit(digits(), out=tmp_path / "run", doctor=mode, callbacks=callbacks, **options)


def test_watching_reports_a_loss_that_is_not_finite(tmp_path, capsys):
    with pytest.raises(DivergedError):
        run_of(tmp_path, "watch", [Poison(250)])
    (alarm,) = alarms(RunFolder(tmp_path / "run").log())
    assert alarm.name == "non-finite values" and alarm.since == 251 and "reconstruction" in alarm.seen
    said = capsys.readouterr().err
    assert "non-finite values since step 251" in said and "With --doctor act the run would now roll back." in said


def test_acting_puts_the_last_healthy_weights_back(tmp_path, capsys):
    kept = {}

    class Keep(Callback):
        every = 200

        def step(self, trainer):
            if trainer.step == 200:
                kept.update({k: v.clone() for k, v in trainer.model.state_dict().items()})

    model = run_of(tmp_path, "act", [Keep(), Poison(250)])
    assert all(torch.equal(kept[key], value) for key, value in model.state_dict().items())
    loaded = nacre.load(tmp_path / "run")
    assert all(torch.equal(kept[key], value) for key, value in loaded.state_dict().items())
    assert (
        "stopped training at step 250 (non-finite values) and put the weights of step 200 back"
        in capsys.readouterr().err
    )
    names = [path.name for path in (tmp_path / "run" / "checkpoints").glob("*.pt")]
    assert sorted(names) == ["step_00000100.pt", "step_00000200.pt"]  # nothing that existed is lost


def test_acting_stops_where_there_is_nothing_to_go_back_to(tmp_path, capsys):
    torch.manual_seed(0)
    model = nacre.create("vae", nacre.load_data("digits").spec, hidden=(32,), beta=100.0)
    out = tmp_path / "collapse"
    model.fit(nacre.load_data("digits"), out=out, doctor="act", steps=1_500, progress=False, device="cpu")
    (alarm,) = alarms(RunFolder(out).log())
    assert alarm.name == "posterior collapse" and alarm.action == "stop"
    stopped = max(record["step"] for record in RunFolder(out).log())
    assert stopped < 500 and (out / "checkpoints" / f"step_{stopped:08d}.pt").exists()
    assert (out / "model" / "model.safetensors").exists()
    assert f"stopped training at step {stopped} (posterior collapse)." in capsys.readouterr().err


def test_the_log_gives_alarms_with_their_end():
    alarm = {"name": "mode collapse", "since": 30, "seen": "s", "advice": "a", "action": "roll back", "over": None}
    other = {**alarm, "name": "memorisation", "since": 40}
    records = [
        {"step": 10, "losses": {"a": 1.0}},
        {"step": 50, "doctor": alarm},
        {"step": 60, "doctor": other},
        {"step": 65, "doctor": {**alarm, "since": 55}},  # raised anew by a run that was resumed
        {"step": 70, "doctor": {**alarm, "over": 70}},
        {"step": 90, "doctor": {**alarm, "since": 80}},
    ]
    records = json.loads(json.dumps(records))
    assert [(a.name, a.since, a.over) for a in alarms(records)] == [
        ("mode collapse", 30, 70), ("memorisation", 40, None), ("mode collapse", 80, None),
    ]  # fmt: skip


def test_checkups_keep_to_their_budget(monkeypatch):
    """Watching puts a checkup off that would take it over 2 % of the time; acting never does."""
    clock = iter(range(10_000_000))
    monkeypatch.setattr("nacre.engine.doctor.watch.time.perf_counter", lambda: float(next(clock)))
    for act in (False, True):
        model = make("vae")
        trainer = Trainer(model, {"data": digits()}, Training.resolve(model.defaults, {**OPTIONS, "steps": 1000}))
        doctor, looks = Doctor(act=act), []
        doctor.start(trainer)
        monkeypatch.setattr(doctor, "_look", lambda trainer, looks=looks: looks.append(next(clock)))
        trainer.phase = 0
        for _ in range(1000):
            doctor.step(trainer)
        assert len(looks) == 1000 if act else 0 < 2 * len(looks) <= 0.02 * 1100


def test_the_page_lists_the_alarms():
    from types import SimpleNamespace

    from nacre.report.tables import doctor

    alarm = Alarm("mode collapse", 1_300, "the spread is 0.1 < 0.3", "wgan-gp", "roll back", over=2_000)
    entry = SimpleNamespace(
        label="gan", log=[{"step": 1_500, "losses": {}}, {"step": 1_500, "doctor": alarm.to_dict()}]
    )
    text = doctor([entry])
    assert (
        "gan: mode collapse from step 1,300 to 2,000" in text and "0.1 &lt; 0.3. What usually helps: wgan-gp." in text
    )
    assert doctor([SimpleNamespace(label="gan", log=[])]) == ""
