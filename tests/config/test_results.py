"""What a plan makes: which keys an edit changes, and what must be made after what happened to the files."""

import shutil
from dataclasses import replace

import pytest

from breakeven.config import results as module
from breakeven.config.results import Results, Why, in_order, to_make
from breakeven.specs.measurements import MEASUREMENTS
from breakeven.stages import STAGES
from breakeven.store.record import is_current, leave_out, left_out, remove_record, write_record
from tests.config.example import CONFIG, edited, plan_of

DENSITY = edited(("measurements:", "measurements:\n  density: {probes: 1}"))
SHARPNESS = edited(("measurements:", "measurements:\n  sharpness: {max_draws: 10}"))
UNASKED = ("embed", "sharpness", "blocks", "predictions", "thin")  # for which no one asks here
MAKE_NOTHING = ("status", "check", "estimate", "new", "run", "export", "publish", "prune")
MAKING = [stage for stage in STAGES if stage.name not in MAKE_NOTHING]
RUN = "digits-simple_cnn-lr0.1-bs32-seed0"  # and its digest
AFTER_ONE = ["summarise_study", "evaluate_claims", "plot_figure", "write_report"]


def results_of(folder, text=CONFIG, contents=lambda path: "nothing"):
    return Results(plan_of(folder, text), contents)


def keys(folder, text=CONFIG, contents=lambda path: "nothing"):
    return {result.last: result.key for result in results_of(folder, text, contents).planned()}


def rules_that_change(folder, text, contents=lambda path: "nothing", before=CONFIG):
    """The rules of results whose keys are others than with ``before``, or that are new."""
    old, planned = keys(folder, before), results_of(folder, text, contents).planned()
    return {result.rule for result in planned if old.get(result.last) != result.key}


# ------------------------------------------------------------------ keys


def test_each_result_comes_after_what_it_needs(tmp_path):
    planned = results_of(tmp_path, DENSITY).planned()
    for index, result in enumerate(planned):
        assert set(result.needs) <= set(planned[:index]), result
    assert planned == in_order(planned)
    assert len({result.last for result in planned}) == len(planned)
    assert {result.rule for result in planned if result.rule == "measure_density"}
    assert {module.STAGE_OF[result.rule] for result in planned} | set(UNASKED) == {stage.name for stage in MAKING}


def test_an_optional_measurement_reaches_the_tables_only_where_the_config_asks(tmp_path):
    """The density has no quantities, and no table reads it; without sharpness, tables are told what they always were."""
    for text, measured in ((CONFIG, ()), (DENSITY, ()), (SHARPNESS, ("sharpness",))):
        for result in results_of(tmp_path, text).planned():
            if result.rule == "summarise_study":
                assert tuple(result.told.get("measurements", ())) == measured
                assert result.told.keys() == {"points", "accuracy_threshold", *(["measurements"] if measured else [])}
                assert ("measure_sharpness" in {need.rule for need in result.needs}) == bool(measured)
    assert rules_that_change(tmp_path, DENSITY) == {"measure_density"}
    assert rules_that_change(tmp_path, SHARPNESS) == {"measure_sharpness", *AFTER_ONE}
    looser = SHARPNESS.replace("max_draws: 10", "max_draws: 10, tolerance: 0.2")
    assert rules_that_change(tmp_path, looser, before=SHARPNESS) == {"measure_sharpness", *AFTER_ONE}


def test_blocks_of_the_hessian_measure_no_hessian_again(tmp_path):
    """The setting stands in the section of hessian, and is in the key of the blocks alone."""
    blocks = edited(("measurements:", "measurements:\n  hessian: {blocks: layer}"))
    assert rules_that_change(tmp_path, blocks) == {"measure_blocks", *AFTER_ONE}
    by_parameter = blocks.replace("layer", "parameter")
    assert rules_that_change(tmp_path, by_parameter, before=blocks) == {"measure_blocks", *AFTER_ONE}
    assert rules_that_change(tmp_path, blocks.replace("layer", "none")) == set()


def test_the_augmentation_is_part_of_the_code_of_what_draws_mini_batches(tmp_path, monkeypatch):
    """Of runs that augment, and of no others."""
    seen = {}
    code_of = module.code_of
    monkeypatch.setattr(
        module, "code_of", lambda modules, files=(): seen.setdefault(modules[0], modules) and code_of(modules, files)
    )
    results_of(tmp_path, SHARPNESS).planned()
    assert not any("augmentations" in name for name in seen["breakeven.measurements.sharpness"])
    seen.clear()
    results_of(
        tmp_path, SHARPNESS.replace("      batch_size: 32\n", "      batch_size: 32\n      augmentation: crop_flip\n")
    ).planned()
    with_it = {stage for stage, modules in seen.items() if "breakeven.training.augmentations.crop_flip" in modules}
    draw = {"breakeven.measurements.sharpness", "breakeven.measurements.locate"}
    assert with_it == {"breakeven.training.train", *draw}


SETTING = {f"measure_{name}" for name in ("hessian", "stability", "assumptions", "locate")} | set(AFTER_ONE)
TRAINED = {"train_run"} | {f"measure_{each.name}" for each in MEASUREMENTS if each.always} | set(AFTER_ONE)


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("learning_rate: [0.03, 0.1]", "learning_rate: [1e-1, 0.030]", set()),
        ("steps: 500", "steps: 5e2", set()),
        ("seeds: [0, 1]", "seeds: [1, 0]", set()),
        ("datasets:", "device: cpu\nthreads: 3\nmemory_mb: 7\nslots_per_gpu: 2\nresults: elsewhere\ndatasets:", set()),
        ("{loader: digits}", "{loader: digits, seed: 0}", set()),
        ("  digits: {loader: digits}", "  digits: {loader: digits}\n  unused: {loader: cifar10}", set()),
        ("  main:\n", "  main:\n    description: What?\n", {"write_report"}),
        ("  main:\n", "  main:\n    accuracy_threshold: 0.7\n", set(AFTER_ONE)),
        ("measurements:", "measurements:\n  hessian: {trace_probes: 6}", SETTING),
        ("{batch_size: 16}", "{batch_size: 8}", {"measure_covariance", "measure_assumptions", *AFTER_ONE}),
        ("learning_rate: [0.03, 0.1]", "learning_rate: [0.03]", set(AFTER_ONE)),
        ("learning_rate: [0.03, 0.1]", "learning_rate: [0.03, 0.2]", TRAINED),
        ("{loader: digits}", "{loader: digits, measured_fraction: 0.1}", {"prepare_dataset"} | TRAINED),
    ],
)
def test_what_an_edit_of_the_config_changes(tmp_path, old, new, rules):
    assert rules_that_change(tmp_path, edited((old, new))) == rules


def test_one_learning_rate_changes_only_its_runs(tmp_path):
    before, after = keys(tmp_path), keys(tmp_path, edited(("[0.03, 0.1]", "[0.03, 0.2]")))
    of_runs = {last for last in after if last.parts[0] == "runs"}
    assert {last for last in of_runs if before.get(last) != after[last]} == {
        last for last in of_runs if "lr0.2" in str(last)
    }


def test_a_second_study_leaves_the_first_alone(tmp_path):
    second = CONFIG + CONFIG[CONFIG.index("  main:") :].replace("  main:", "  other:").replace(
        "[0.03, 0.1]", "[0.1, 0.3]"
    )
    before, after = keys(tmp_path), keys(tmp_path, second)
    assert {str(last) for last in before if before[last] != after[last]} == {"tables/claims.csv", "report.html"}


OWN = CONFIG.replace("{loader: digits}", "{loader: 'my.py:load', options: {folder: pictures}}").replace(
    "network: simple_cnn", "network: my.py:build\n      network_options: {weights: w.pt}"
)


def test_files_that_options_name(tmp_path, monkeypatch):
    """Each is looked at, and changes what is read from it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text(
        "from breakeven.specs.source import File, Folder, Location\n\n"
        "def load(*, folder: Folder, several: tuple[Folder, ...] = (), where: Location = 'data'):\n    ...\n\n"
        "def build(input_shape, classes, *, weights: File | None = None):\n    ...\n",
        encoding="utf-8",
    )
    looked = []
    keys(tmp_path, OWN, lambda path: looked.append(str(path)) or "same")
    assert sorted(set(looked)) == ["pictures", "w.pt"]  # and not what only says where official data lie
    of_data = rules_that_change(tmp_path, OWN, lambda path: "other" if path.name == "pictures" else "nothing", OWN)
    assert of_data == {"prepare_dataset"} | TRAINED
    of_weights = rules_that_change(tmp_path, OWN, lambda path: "other" if path.name == "w.pt" else "nothing", OWN)
    assert of_weights == TRAINED


@pytest.mark.parametrize(
    ("text", "network", "path"),
    [
        ("{loader: image_folder, path: here}", "simple_cnn", "here"),
        ("{loader: imagenet, path: here}", "simple_cnn", "here"),
        ("{loader: fashion_mnist, path: here}", "simple_cnn", "here"),
        ("{loader: imdb, path: here}", "lstm", "here"),
        ("{loader: mnli, path: here}", "bert", "here"),
        ("{loader: mnli, tokenizer: mine}", "bert", "mine"),
        ("{loader: mnli}", "bert\n      network_options: {model: mine}", "mine"),
    ],
)
def test_what_each_loader_and_network_reads(tmp_path, monkeypatch, text, network, path):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    config = edited(("{loader: digits}", text), ("network: simple_cnn", f"network: {network}"))
    changed = rules_that_change(tmp_path, config, lambda each: "other" if each.name == path else "nothing", config)
    assert changed - {"prepare_dataset"} == TRAINED
    assert ("prepare_dataset" in changed) == ("model" not in network)


def test_a_data_set_that_is_taken_as_it_lies_there(tmp_path):
    """In a job on a cluster: what it was prepared from is not looked at."""
    plan = plan_of(tmp_path, CONFIG.replace("{loader: digits}", "{loader: image_folder, path: here}"))
    here = Results(plan, lambda path: "content")
    there = Results(plan, lambda path: pytest.fail("looked"), lambda dataset: here.data(dataset).key)
    assert {each.last: each.key for each in there.planned()} == {each.last: each.key for each in here.planned()}


def test_the_code_of_each_stage(tmp_path, monkeypatch):
    """Its key is another where its code is; and that of no other but those that follow."""
    before = keys(tmp_path, DENSITY)
    code_of, seen = module.code_of, set()
    for stage in MAKING:

        def edited_code(modules, files=(), edited=stage.module):
            code = code_of(modules, files)
            return replace(code, digest="another") if edited in modules else code

        monkeypatch.setattr(module, "code_of", edited_code)
        planned = results_of(tmp_path, DENSITY).planned()
        changed = {result.rule for result in planned if before[result.last] != result.key}
        seen.add(frozenset(changed))
        follows = {each.rule for each in planned if any(need.rule in changed for need in each.needs)}
        assert follows <= changed, stage.name
        assert bool(changed) == (stage.name not in UNASKED), stage.name
    assert len(seen) == len(MAKING) - len(UNASKED) + 1


# ------------------------------------------------------------------ what must be made


@pytest.fixture
def made(tmp_path):
    """All results of the example, as if they had been made."""
    planned = results_of(tmp_path, DENSITY).planned()
    for result in planned:
        for file in result.files:
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix:
                path.write_text(str(file), encoding="utf-8")
            else:
                path.mkdir()
                (path / "step-0.safetensors").write_bytes(b"1234")
        write_record(tmp_path / result.last, result.key, [tmp_path / file for file in result.files])
    return planned


def to_do(made, folder, again=()):
    """Rule and name of what must be made, and why."""
    return {f"{each.rule} {each.name}".strip(): why for each, why in to_make(made, folder, again).items()}


def test_nothing(made, tmp_path):
    assert to_do(made, tmp_path) == {}
    shutil.copytree(tmp_path, tmp_path.with_name("copy"), copy_function=shutil.copy)
    assert to_do(made, tmp_path.with_name("copy")) == {}


def test_each_file_that_is_deleted_emptied_or_without_record(made, tmp_path):
    """Its result is made again, alone where it would be the same to the byte, else with all that follows from it."""
    for result in made:
        for file in [*result.files, *(file / "step-0.safetensors" for file in result.files if not file.suffix)]:
            for how in ("deleted", "emptied", "without record"):
                path = tmp_path / file
                kept = tmp_path.with_name("kept")
                if how == "without record":
                    remove_record(tmp_path / result.last)
                elif how == "deleted" or path.is_dir():
                    path.rename(kept)
                else:
                    kept.write_bytes(path.read_bytes())
                    path.write_bytes(b"")
                found = to_make(made, tmp_path)
                follow = {each for each in made if result in in_order([each])} - {result}
                assert found.keys() == {result} | (set() if result.exact else follow), (file, how)
                assert all(found[each] is Why.FOLLOWS for each in found if each is not result)
                missing = file in result.files and not path.exists()
                assert found[result] is (Why.MISSING if missing else Why.CHANGED)
                if how == "without record":
                    write_record(tmp_path / result.last, result.key, [tmp_path / each for each in result.files])
                else:
                    path.unlink(missing_ok=True)
                    kept.rename(path)
    assert to_do(made, tmp_path) == {}


def test_what_the_user_forces(made, tmp_path):
    found = to_do(made, tmp_path, {"evaluate_claims"})
    assert found == {"evaluate_claims": Why.CHANGED, "write_report": Why.FOLLOWS}
    assert to_do(made, tmp_path, {"tables/claims.csv"}) == found


def test_a_whole_run(made, tmp_path):
    [run] = (tmp_path / "runs").glob(f"{RUN}-*")
    shutil.rmtree(run)
    found = to_do(made, tmp_path)
    rules = {"train_run", "measure_density", *(f"measure_{each.name}" for each in MEASUREMENTS if each.always)}
    assert {job for job, why in found.items() if why is Why.MISSING} == {f"{rule} {run.name}" for rule in rules}
    assert {job.split()[0] for job, why in found.items() if why is Why.FOLLOWS} == set(AFTER_ONE)


def test_nothing_was_made_yet(made, tmp_path):
    found = to_make(made, tmp_path / "nowhere")
    assert list(found) == made and set(found.values()) == {Why.MISSING}


# ------------------------------------------------------------------ runs whose snapshots are gone


@pytest.fixture
def thinned(made, tmp_path):
    """The example's results where one run is without its snapshots."""
    [run] = (result for result in made if result.rule == "train_run" and result.name.startswith(f"{RUN}-"))
    leave_out(tmp_path / run.last, ["snapshots/step-0.safetensors"])
    (tmp_path / run.files[2] / "step-0.safetensors").unlink()
    return made, run


def test_a_run_without_snapshots_that_no_one_reads(thinned, tmp_path):
    made, _ = thinned
    assert to_do(made, tmp_path) == {}
    assert to_do(made, tmp_path, {"evaluate_claims"}).keys() == {"evaluate_claims", "write_report"}
    assert to_do(made, tmp_path, {"summarise_study"}).keys() & {"train_run", "measure_hessian"} == set()


def test_a_run_without_snapshots_of_which_one_measurement_is_missing(thinned, tmp_path):
    """It is trained again, and all of it measured anew; as after its own table was deleted, the others keep theirs."""
    made, run = thinned
    (tmp_path / run.last.parent / "hessian.csv").unlink()
    found = to_make(made, tmp_path)
    follow = {each for each in made if run in in_order([each])} - {run}
    assert found.keys() == {run} | follow
    assert found[run] is Why.MISSING
    hessians = [each for each in follow if each.rule == "measure_hessian" and each.name == run.name]
    assert [found[each] for each in hessians] == [Why.MISSING]
    assert {found[each] for each in follow - set(hessians)} == {Why.FOLLOWS}


def test_eigenvectors_that_are_gone_are_made_again_for_who_reads_them(thinned, tmp_path):
    made, run = thinned
    [of_h] = (each for each in made if (each.rule, each.name) == ("measure_hessian", run.name))
    leave_out(tmp_path / of_h.last, ["eigenvectors/step-0.safetensors"])
    for path in (tmp_path / of_h.last.parent / "eigenvectors").iterdir():
        path.unlink()
    assert to_do(made, tmp_path) == {}
    (tmp_path / of_h.last.parent / "stability.csv").unlink()
    found = to_make(made, tmp_path)
    assert found[run] is found[of_h] is Why.MISSING


def test_what_a_thinned_record_says(tmp_path):
    """Named twice or after another change, the files that stay are still compared."""
    (tmp_path / "snapshots").mkdir()
    files = [tmp_path / "snapshots" / f"step-{step}.safetensors" for step in range(3)]
    for file in [*files, tmp_path / "training.json"]:
        file.write_bytes(b"1234")
    last = tmp_path / "training.json"
    write_record(last, "key", [tmp_path / "snapshots", last])
    assert is_current(last, "key") and left_out(last) is None
    leave_out(last, ["snapshots/step-0.safetensors"])
    leave_out(last, ["snapshots/step-0.safetensors", "snapshots/step-1.safetensors"])
    assert len(left_out(last)) == 2 and is_current(last, "key")
    files[0].unlink()
    files[1].unlink()
    assert is_current(last, "key")
    files[2].unlink()
    assert not is_current(last, "key")
    write_record(last, "key", [tmp_path / "snapshots", last])
    assert left_out(last) is None
    leave_out(last, [])
    assert left_out(last) == [] and is_current(last, "key")
