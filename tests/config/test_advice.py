"""What is told to do instead where a mistake is one of someone who knows other tools."""

import pytest

from breakeven.config.advice import FORMS, INSTEAD, OTHER_WORDS
from breakeven.config.models import Config, Hyperparameters, StudyConfig
from tests.config.example import CONFIG, mistakes

STEPS = "      steps: 500\n"
SCHEDULE = "list how the learning rate changes, as in [{at: 1000, learning_rate: 0.01}] or [{kind: cosine}]"


def base(line, message):
    return pytest.param(STEPS, f"{STEPS}      {line}\n", f"studies.main.base.{message}", id=line)


def told(old, new, message):
    return pytest.param(old, new, message, id=new.strip())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        base("schedule: cosine", f"schedule: 'cosine' is not a list; {SCHEDULE}"),
        base("schedule: [10]", f"schedule[0]: 10 is not a mapping; {SCHEDULE}"),
        base("schedule: [{step: 9, learning_rate: 1}]", "schedule[0].step: unknown key; did you mean 'at'?"),
        base("schedule: [{at: 9, lr: 1}]", "schedule[0].lr: unknown key; did you mean 'learning_rate'?"),
        base("warmup: 5", f"warmup: unknown key; 'schedule' {SCHEDULE.replace('list how', 'lists how')}"),
        base("beta1: 0.9", "beta1: unknown key; options of an optimizer stand in 'optimizer_options'"),
        base(
            "loss: mse",
            "loss: unknown key; the data decide: the cross-entropy for classes, the squared loss for numbers",
        ),
        base("dropout: 0.1", "dropout: unknown key; options of a network stand in 'network_options'"),
        base("device: cuda", "device: unknown key; it stands at the top of the config, beside 'studies'"),
        base("wd: 0.1", "wd: unknown key; did you mean 'weight_decay'?"),
        base("snapshots: 10", "snapshots: 10 is not a list; list how often they are taken, as in [{every: 10}]"),
        told("batch_size: 32", "bs: 32", "studies.main.base.bs: unknown key; did you mean 'batch_size'?"),
        told(
            "batch_size: 32",
            "batch_size: 0.5",
            "studies.main.base.batch_size: 0.5 is not an integer; allowed: an integer of at least 1; it counts examples",
        ),
        told(STEPS, "      iterations: 500\n", "studies.main.base.iterations: unknown key; did you mean 'steps'?"),
        told(
            "learning_rate: 0.1\n",
            "learning_rate: 0,1\n",
            "studies.main.base.learning_rate: '0,1' is not a number; allowed: a number above 0; write 0.1",
        ),
        told("studies:", "experiments:", "experiments: unknown key; did you mean 'studies'?"),
        told(
            "studies:",
            "figures: [maxima]\nstudies:",
            "figures: unknown key; figures are listed in a study, beside 'base'",
        ),
        told("    sweeps:", "    grid:", "studies.main.grid: unknown key; did you mean 'sweeps'?"),
        told("    seeds: [0, 1]", "    seeds: 2", "studies.main.seeds: 2 is not a list; list them, as in [0, 1, 2]"),
        told(
            "{loader:",
            "{train_size: 9, loader:",
            "datasets.digits.train_size: unknown key; did you mean 'train_examples'?",
        ),
    ],
)
def test_the_usual_mistakes(tmp_path, monkeypatch, old, new, message):
    monkeypatch.chdir(tmp_path)
    assert CONFIG.count(old) == 1, old
    assert mistakes(tmp_path, CONFIG.replace(old, new)) == [message]


@pytest.mark.parametrize("name", ["my.py", "vgg"])
def test_a_network_that_is_not_known_may_be_ones_own(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (line,) = mistakes(tmp_path, CONFIG.replace("network: simple_cnn", f"network: {name}"))
    assert line.endswith(", or a function of your own: FILE.py:FUNCTION")


def test_advice_names_no_key_that_is_known_and_only_keys_that_are():
    """Where a key comes to be known, its advice goes."""
    hyperparameters = Hyperparameters.model_fields.keys()
    assert not {key for key, beside in INSTEAD if beside in hyperparameters} & hyperparameters
    assert not {key for key, beside in INSTEAD if beside == "studies"} & Config.model_fields.keys()
    assert FORMS.keys() <= hyperparameters | StudyConfig.model_fields.keys()
    assert not OTHER_WORDS.keys() & (hyperparameters | StudyConfig.model_fields.keys() | Config.model_fields.keys())
