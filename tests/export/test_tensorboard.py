"""What TensorBoard reads is what the tables say."""

import builtins
import json
import struct

import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from breakeven.export import tensorboard as module
from breakeven.export.curves import Curves
from breakeven.export.export import export
from breakeven.store.errors import UserError
from breakeven.store.record import write_record
from tests.once import once
from tests.tiny_pipeline import STUDY, Pipeline

MEASURED = ("covariance", "hessian", "stability", "assumptions", "locate")


def made(folder):
    pipeline = Pipeline(folder)
    pipeline.prepare()
    for number in (0, 1):
        always = (pipeline.train, pipeline.covariance, pipeline.hessian, pipeline.stability, pipeline.assumptions)
        for stage in (*always, pipeline.locate, pipeline.density):
            stage(number)
    pipeline.summarise()
    return ""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    return Pipeline(once(tmp_path_factory, "exported", made)[0])


def read(folder):
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return events


def single(value):
    """As a float of 32 bits, which is all that TensorBoard draws."""
    return struct.unpack("f", struct.pack("f", value))[0]


def rows(table, column):
    return [(step, single(value)) for step, value in zip(table["step"], table[column], strict=True)]


def test_the_scalars_are_those_of_the_tables(pipeline, tmp_path):
    told = export(results=pipeline.results, tensorboard=tmp_path)
    assert told == f"wrote 2 runs: tensorboard --logdir {tmp_path}"
    assert {path.name for path in tmp_path.iterdir()} == {pipeline.run(0).name, pipeline.run(1).name}
    for number in (0, 1):
        run = pipeline.run(number)
        tables = {name: pd.read_csv(run / f"{name}.csv") for name in ("history", *MEASURED)}
        expected = {}
        for split in ("train", "test"):
            chosen = tables["history"][tables["history"]["split"] == split]
            expected |= {f"{split}/{column}": rows(chosen, column) for column in ("loss", "accuracy")}
        expected["learning_rate"] = rows(chosen, "learning_rate")
        for name, tag in zip(MEASURED, ("K", "H", "stability", "assumptions", "locate"), strict=True):
            table = tables[name].drop(columns="note")
            table["step"] = table["step"].astype(int)
            for column in table.columns[1:]:
                there = table[table[column].notna()]
                if len(there):
                    expected[f"{tag}/{column.removeprefix(f'{tag}_')}"] = rows(there, column)
        events = read(tmp_path / run.name)
        found = {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
        assert found == expected
        assert {"train/loss", "test/accuracy", "K/lambda_1", "H/lambda_1", "H/trace", "stability/lhs"} <= found.keys()
        assert len(found["H/lambda_1"]) == 2 and len({value for _, value in found["H/lambda_1"]}) == 2
    assert found["K/lambda_1"] != read(tmp_path / pipeline.run(0).name).Scalars("K/lambda_1")


def test_the_hyperparameters(pipeline, tmp_path):
    export(results=pipeline.results, tensorboard=tmp_path)
    events = read(tmp_path / pipeline.run(1).name)
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    found = HParamsPluginData.FromString(content).session_start_info.hparams
    assert (found["learning_rate"].number_value, found["batch_size"].number_value) == (0.2, 8)
    assert (found["network"].string_value, found["dataset.loader"].string_value) == ("simple_cnn", "digits")
    assert json.loads(found["snapshots"].string_value) == [{"every": 2}]


def test_runs_and_studies_are_chosen_by_name(pipeline, tmp_path):
    run = pipeline.run(1).name
    assert export([run], pipeline.results, tmp_path / "a").startswith("wrote 1 run:")
    assert [path.name for path in (tmp_path / "a").iterdir()] == [run]
    assert export([STUDY.name, run], pipeline.results, tmp_path / "b").startswith("wrote 2 runs:")
    with pytest.raises(UserError, match=r"^'nothing' is no run and no study with a table in the results folder"):
        export([run, "nothing"], pipeline.results, tmp_path / "c")
    assert not (tmp_path / "c").exists()
    with pytest.raises(UserError, match=r"^export: say what for and where to: --tensorboard FOLDER$"):
        export(results=pipeline.results)
    with pytest.raises(UserError, match="has no trained runs: start snakemake first"):
        export(results=tmp_path / "nowhere", tensorboard=tmp_path / "c")


def test_again_takes_the_place_of_the_first(pipeline, tmp_path):
    for _ in range(3):
        export(results=pipeline.results, tensorboard=tmp_path)
    folder = tmp_path / pipeline.run(0).name
    (folder / "events.out.tfevents.1.mine").write_text("")
    export(results=pipeline.results, tensorboard=tmp_path)
    assert len(list(folder.iterdir())) == 2 and (folder / "events.out.tfevents.1.mine").exists()


def test_whole_or_not_at_all(pipeline, tmp_path, monkeypatch):
    export(results=pipeline.results, tensorboard=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    curves = {"train/loss": [(0, 1.0), (1, "nothing")]}
    with pytest.raises(ValueError, match="nothing"):
        module.write_tensorboard(tmp_path, Curves(pipeline.run(0).name, {}, curves, 0.0))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert {path.name for path in tmp_path.iterdir()} == {pipeline.run(0).name, pipeline.run(1).name}


def test_what_is_not_measured_yet_is_left_out_and_what_was_changed_refused(tmp_path):
    pipeline = Pipeline(tmp_path / "results")
    pipeline.prepare()
    pipeline.train()
    export(results=pipeline.results, tensorboard=tmp_path / "a")
    events = read(tmp_path / "a" / pipeline.run().name)
    assert set(events.Tags()["scalars"]) == {
        "train/loss",
        "train/accuracy",
        "test/loss",
        "test/accuracy",
        "learning_rate",
    }
    history = pipeline.run() / "history.csv"
    write_record(pipeline.run() / "training.json", "key", [history])
    history.write_text(history.read_text().replace("train", "trial"))
    with pytest.raises(UserError, match=r"history\.csv' was changed since it was written"):
        export(results=pipeline.results, tensorboard=tmp_path / "b")
    pipeline.covariance()
    (pipeline.run() / ".training.json.record").unlink()
    table = pipeline.run() / "covariance.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]))
    with pytest.raises(UserError, match=r"covariance\.csv' does not have the steps of the run's snapshots"):
        export(results=pipeline.results, tensorboard=tmp_path / "b")


def test_where_it_is_not_installed(pipeline, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("torch.utils.tensorboard"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"needs the package tensorboard: pip install 'tensorboard>=2\.20'"):
        export(results=pipeline.results, tensorboard=tmp_path)
    assert list(tmp_path.iterdir()) == []
