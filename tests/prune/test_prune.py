"""What no config names is listed, and removed where that is said; the user's own files stay, and so does what a config names."""

import json
import os
import shutil
from pathlib import Path

import pytest

from breakeven.config.results import Results, to_make
from breakeven.jobs.locks import acquire, held, lock_of
from breakeven.jobs.results_folder import LOCK, occupy
from breakeven.prune.belongings import belongings
from breakeven.prune.prune import prune
from breakeven.store.errors import UserError
from breakeven.store.record import write_record
from tests.config.example import CONFIG, edited, plan_of

FEW = edited(("figures: x", "figures: [lambda_K]"), text=CONFIG.replace("  main:\n", "  main:\n    figures: x\n"))
# other runs at one of two learning rates, one more study, and other data for it
SECOND = FEW[FEW.index("  main:") :].replace("  main:", "  second:").replace("dataset: digits", "dataset: half")
BEFORE = FEW.replace("[0.03, 0.1]", "[0.1, 0.3]") + SECOND
BEFORE = BEFORE.replace("  digits: {", "  half: {loader: digits, train_examples: 700}\n  digits: {")


def contents(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def made(folder, text):
    """What snakemake makes of a config, by name."""
    planned = Results(plan_of(folder, text), lambda path: "nothing").planned()
    results = folder / "results"
    for result in planned:
        files = [results / file for file in result.files]
        for path in files:
            if path.name in ("snapshots", "eigenvectors"):
                shutil.rmtree(path, ignore_errors=True)
                put(path / "step-00000000.safetensors")
            else:
                put(path, f"run: {path.parent.name}\n" if path.name == "run.yaml" else "x" * 1000)
        write_record(results / result.last, result.key, files)
        for path in files:
            if path.is_dir():
                put(path / ".snakemake_timestamp")
        put(results / result.cost)
        put(results / "logs" / result.cost.relative_to("benchmarks").with_suffix(".log"))
    return planned


def put(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the results of an earlier config, and then of config.yaml, which needs a half of the runs."""
    monkeypatch.chdir(tmp_path)
    made(tmp_path, BEFORE)
    (tmp_path / "config.yaml").rename("before.yaml")
    made(tmp_path, FEW)
    return tmp_path


def left_to_make(folder):
    planned = Results(plan_of(folder, FEW), lambda path: "nothing").planned()
    return to_make(planned, folder / "results")


def runs_of(folder, text):
    return set(plan_of(folder, text).runs)


def test_what_no_config_names_is_listed_and_nothing_removed(folder):
    before = contents(folder)
    told = prune()
    gone = runs_of(folder, BEFORE) - runs_of(folder, FEW)
    plan_of(folder, FEW)
    head, *lines = told.splitlines()
    assert head == "not named by 'config.yaml' in the results folder 'results': 6 runs, 1 study, 1 data set"
    assert {line.split()[-1] for line in lines[:6]} == gone
    assert [line.split()[2:] for line in lines[6:8]] == [["study", "second"], ["data", "set", half(folder)]]
    assert lines[8].endswith("in all; --yes removes them") and len(lines) == 9
    assert contents(folder) == before


def half(folder):
    return next(iter(set(plan_of(folder, BEFORE).datasets) - set(plan_of(folder, FEW).datasets)))


def test_the_disk_space_is_that_of_the_files(folder):
    sizes = {each.name: each.size() for each in belongings(folder / "results")}
    run = next(iter(runs_of(folder, BEFORE) - runs_of(folder, FEW)))
    plan_of(folder, FEW)
    files = [path for path in (folder / "results/runs" / run).rglob("*") if path.is_file()]
    assert sizes[run] == sum(path.stat().st_size for path in files) > 4000
    put(folder / f"results/runs/{run}/snapshots/step-00000000.safetensors", "x" * 3_000_000)
    twin = folder / f"results/state/{run}/snapshots/step-00000000.safetensors"
    twin.parent.mkdir(parents=True)
    twin.hardlink_to(folder / f"results/runs/{run}/snapshots/step-00000000.safetensors")
    assert f"3 MB  run {run}" in prune()  # one file under two names
    assert prune().splitlines()[-1].startswith("3 MB in all")


def test_it_is_removed_where_that_is_said(folder):
    put(folder / "results/data/contents.json")
    named = {*contents(folder / "results")}
    shutil.rmtree(folder / "results")
    made(folder, FEW)
    put(folder / "results/data/contents.json")
    alone = {*contents(folder / "results")}
    assert alone < named
    made(folder, BEFORE)
    made(folder, FEW)
    told = prune(yes=True)
    assert told.splitlines()[-1].endswith("in all, removed")
    assert contents(folder / "results") == alone | {LOCK}
    assert left_to_make(folder) == {}
    assert prune() == "the results folder 'results' has nothing that 'config.yaml' does not name"
    folders = {path.relative_to(folder / "results").parts for path in (folder / "results").rglob("*") if path.is_dir()}
    assert not [parts for parts in folders if parts[:1] in (("runs",), ("tables",)) and "second" in parts]
    assert {parts[1] for parts in folders if parts[0] == "runs" and len(parts) > 1} == runs_of(folder, FEW)


def test_several_configs_name_what_is_kept(folder):
    assert "does not name" in prune([Path("config.yaml"), Path("before.yaml")]).splitlines()[0]
    Path("other.yaml").write_text(FEW.replace("datasets:", "results: elsewhere\ndatasets:", 1))
    with pytest.raises(
        UserError, match=r"^'config.yaml' has its results in 'results', and 'other.yaml' in 'elsewhere': name configs"
    ):
        prune([Path("config.yaml"), Path("other.yaml")])
    assert "6 runs" in prune([Path("config.yaml")], Path("results"))


def test_the_users_own_files_stay(folder):
    run = min(runs_of(folder, BEFORE) - runs_of(folder, FEW))
    plan_of(folder, FEW)
    own = [
        "results/notes.txt",
        "results/mine-0123456789/history.csv",
        "results/runs/notes.txt",
        "results/runs/mine/run.yaml",
        "results/runs/copy-0123456789/run.yaml",  # of another run, as it says
        f"results/runs/{run}/notes.txt",
        f"results/runs/{run}/snapshots/mine.safetensors",
        "results/data/mine-01234567.zip",
        "results/data/mine/manifest.json",
        "results/tables/mine/runs.csv",
        "results/tables/second/mine.csv",
        "results/figures/second/mine.png",
        "results/figures/mine/lambda_K.png",
        "results/logs/mine.log",
        "results/logs/train/mine.log",
    ]
    for path in own:
        put(folder / path, "run: another\n")
    outside = folder / "outside"
    put(outside / "history.csv")
    (folder / "results/runs/linked-0123456789").symlink_to(outside)
    told = prune(yes=True)
    assert set(own) <= contents(folder)
    assert contents(outside) == {"history.csv"}
    stay = {line.rpartition(": ")[2] for line in told.splitlines() if line.startswith("stays, since no job writes")}
    assert stay == {path for path in own if run in path or "second" in path}
    assert not (folder / f"results/runs/{run}/run.yaml").exists()


def test_what_is_half_made_is_removed_too(folder):
    """By a process that was killed: without a record, or without a folder."""
    results, name = folder / "results", "digits-mlp-lr0.1-bs8-seed0-0123456789"
    halves = [
        f"runs/{name}/.history.csv.host.12.tmp.csv",
        f"runs/{name}/..training.json.record.host.12.tmp.record",
        f"runs/{name}/.training.json.lock",
        f"runs/{name}/run.yaml",
        f"state/{name}/checkpoint.safetensors",
        f"state/{name}/took.json",
        f"state/{name}/.took.host.12.tmp.json",
        f"state/{name}/.checkpoint.host.12.tmp.safetensors",
        f"state/{name}/snapshots/step-00000004.safetensors",
        f"state/{name}/snapshots/.step-00000006.host.12.tmp.safetensors",
        f"logs/train/{name}.log",
    ]
    for half in halves:
        put(results / half)
    put(results / "logs/hessian/digits-mlp-lr0.1-bs8-seed0-9876543210.log")
    assert "8 runs" in prune(yes=True)
    assert not [path for path in contents(results) if "digits-mlp" in path]
    assert not (results / "state" / name).exists() and not (results / "runs" / name).exists()


class Killed(BaseException):
    pass


def test_a_kill_at_any_moment_leaves_what_the_next_prune_and_snakemake_understand(folder, monkeypatch):
    """Nothing is taken for whole that isn't: no result has a record without its files, and the next prune removes the rest."""
    earlier = folder / "earlier"
    shutil.copytree(folder / "results", earlier)
    real, done = Path.unlink, {"count": 0, "until": 0}

    def unlink_or_end(path, missing_ok=False):
        if "results" in path.parts and path.suffix != ".lock":
            if done["count"] == done["until"]:
                raise Killed
            done["count"] += 1
        real(path, missing_ok)

    moments = 0
    while True:
        shutil.rmtree(folder / "results")
        shutil.copytree(earlier, folder / "results")
        done |= {"count": 0, "until": moments}
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", unlink_or_end)
            try:
                prune(yes=True)
            except Killed:
                pass
            else:
                break
        assert left_to_make(folder) == {}
        for record in (folder / "results").rglob(".*.record"):
            assert all((record.parent / name).exists() for name in json.loads(record.read_text())["files"])
        prune(yes=True)
        assert prune() == "the results folder 'results' has nothing that 'config.yaml' does not name"
        moments += 1 if moments < 12 else 11
    assert moments > 100


def test_while_snakemake_is_at_work_nothing_is_removed(folder):
    before = contents(folder)
    lock = occupy(folder / "results", {"config": "before.yaml", "started": "now", "jobs": []})
    with pytest.raises(UserError, match=r"^process \d+ on .* is running snakemake in the results folder '.*results'"):
        prune(yes=True)
    assert contents(folder) == before | {"results/.lock", "results/plan.json"}
    told = prune()  # but listed
    assert told.splitlines()[-1] == "the last snakemake here ran 'before.yaml': name it, too, to keep what it made"
    lock.release()
    assert "removed" in prune(yes=True)


def test_while_prune_is_at_work_no_snakemake_begins(folder, monkeypatch):
    def begin(each):
        with pytest.raises(UserError, match="is removing what no config names from the results folder 'results' since"):
            acquire(folder / "results" / LOCK, "running snakemake")
        raise Killed

    monkeypatch.setattr("breakeven.prune.prune.remove", begin)
    with pytest.raises(Killed):
        prune(yes=True)
    acquire(folder / "results" / LOCK, "running snakemake").release()  # it is free again


def test_what_a_job_is_writing_stays(folder):
    """On a cluster jobs go on where their Snakemake was killed."""
    run = min(runs_of(folder, BEFORE) - runs_of(folder, FEW))
    plan_of(folder, FEW)
    before = contents(folder)
    training = folder / "results/runs" / run / "training.json"
    words = rf"^process {os.getpid()} on .* is writing '{run}' \(train\) since"
    with held(lock_of(training), f"writing '{run}' (train)"), pytest.raises(UserError, match=words):
        prune(yes=True)
    assert contents(folder) == before | {"results/.lock"}


def test_a_folder_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan_of(tmp_path, FEW)
    assert prune() == prune(yes=True) == "there is no results folder 'results'"
    assert not Path("results").exists()
