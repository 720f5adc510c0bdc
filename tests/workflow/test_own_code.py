"""The example of the README: a data set and a network of the user's own, without touching the package."""

import shutil

import pandas as pd
import pytest

from tests.workflow.project import CHECKOUT, measure, tables, train

pytestmark = pytest.mark.workflow
CONFIG = ("--configfile", "docs/examples/own.yaml", "--", "results-own/tables/learning_rate/runs.csv")


def test_a_data_set_and_a_network_of_the_users_own(fresh):
    shutil.copytree(CHECKOUT / "docs/examples", fresh.folder / "docs/examples")
    fresh.edit("import numpy as np\n", "import numpy as np\nimport beside\n", "docs/examples/own.py")
    (fresh.folder / "docs/examples/beside.py").write_text("smooth = True\n", encoding="utf-8")
    (fresh.folder / "results").symlink_to("results-own")  # where the helpers of the tests look
    fresh.edit("learning_rate: [0.1, 1.0]", "learning_rate: [1.0]", CONFIG[1])  # one run is enough
    again = tables("learning_rate")
    executed = fresh.run(*CONFIG)
    runs = {job.split()[1] for job in executed if job.startswith("train_run")}
    assert len(runs) == 1
    table = pd.read_csv(fresh.folder / "results-own/tables/learning_rate/runs.csv")
    assert table["max_lambda_K"].gt(0).all() and table["max_lambda_H"].gt(0).all()
    assert table["final_test_accuracy"].max() > 0.5  # of three classes
    assert fresh.plan(*CONFIG) == set()

    # an edit of the code reruns what depends on it, one of a comment doesn't
    fresh.edit("nn.Tanh(),", "nn.Tanh(),  # smooth", "docs/examples/own.py")
    assert fresh.plan(*CONFIG) == set()
    fresh.edit("nn.Tanh(),", "nn.ReLU(),", "docs/examples/own.py")
    planned = fresh.plan(*CONFIG)
    assert train(runs) | measure(runs) | again <= planned
    assert len(planned - train(runs) - measure(runs) - again) == 1  # both stand in one file, so the data set, too
    fresh.edit("nn.ReLU(),", "nn.Tanh(),", "docs/examples/own.py")
    assert fresh.plan(*CONFIG) == set()

    # and so does one of what it imports from beside it
    fresh.edit("True", "False", "docs/examples/beside.py")
    assert fresh.plan(*CONFIG) == planned
