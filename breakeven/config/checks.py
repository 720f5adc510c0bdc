"""What no single value tells: how the hyperparameters of one run go together, and with its data set."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from breakeven.config.datasets import Dataset
from breakeven.config.finding import Finding
from breakeven.config.messages import no_function, not_known, show
from breakeven.config.models import REQUIRED, Hyperparameters
from breakeven.config.moments import because, may_follow, words
from breakeven.config.options import option_problems
from breakeven.config.schedule_checks import check_schedule
from breakeven.config.validate import Problem
from breakeven.config.yaml_file import Place
from breakeven.data.registry import loader_source
from breakeven.networks import registry
from breakeven.specs import initial_weights, own_code
from breakeven.specs.hub import PRETRAINED, revision_problem
from breakeven.specs.own_code import is_own
from breakeven.specs.run import Segment
from breakeven.specs.schedule import segment_steps, snapshots_problem
from breakeven.specs.source import Source, defines
from breakeven.training.registry import OPTIMIZERS, OWN_BESIDE, OWN_GIVEN, optimizer_source

LARGEST = 3.4e38  # in float32
TEXTS = ("words", "word pieces")


def check_run(run: Hyperparameters, datasets: Mapping[str, Dataset], device: str, said: str) -> Iterator[Finding]:
    """The mistakes in the hyperparameters of one run, each valid by itself; ``said``: where the device is said, in words."""
    missing = [name for name in REQUIRED if getattr(run, name) is None]
    yield from (Finding(name, "required, but missing") for name in missing)
    if run.steps is None and run.epochs is None:
        yield Finding("steps", "required, but missing: give steps or epochs")
    if run.steps is not None and run.epochs is not None:
        yield Finding("epochs", "steps and epochs are both given; exactly one is allowed")
    if missing or (run.steps is None) == (run.epochs is None):
        return
    dataset = datasets.get(run.dataset)
    if dataset is None:
        yield Finding("dataset", not_known(run.dataset, datasets))
    elif run.augmentation == "crop_flip" and dataset.content in TEXTS:
        message = f"crop_flip is for pictures, and data set {show(run.dataset)} holds texts"
        yield Finding("augmentation", message, ("dataset",))
    yield from _check_network(run, dataset)
    unreadable = initial_weights.problem(Path(run.initial_weights)) if run.initial_weights else None
    if unreadable:
        yield Finding("initial_weights", unreadable)
    if run.precision == "tf32" and device == "cpu":
        yield Finding("precision", f"tf32 needs a CUDA device, and {said}")
    yield from _check_optimizer(run)
    yield from _check_range(run)
    examples = None if dataset is None else dataset.training_examples
    if examples and run.batch_size > examples:
        size = f"the {examples} training examples of data set {show(run.dataset)}"
        yield Finding("batch_size", f"{run.batch_size} is more than {size}", ("dataset",))
    steps_per_epoch = None if not examples else max(1, examples // run.batch_size)
    yield from _check_snapshots(run.snapshots, steps_per_epoch)
    yield from _check_number_of_snapshots(run, steps_per_epoch)
    yield from check_schedule(run, steps_per_epoch)


def _check_range(run: Hyperparameters) -> Iterator[Finding]:
    """PyTorch refuses a step with a number that the weights can't be."""
    if run.precision == "float64":
        return
    given: list[tuple[str, Place, float]] = [
        (name, (), getattr(run, name)) for name in ("learning_rate", "weight_decay")
    ]
    for i, entry in enumerate(run.schedule):
        given += [("schedule", (i, name), getattr(entry, name, None) or 0.0) for name in ("learning_rate", "of")]
    for name, place, value in given:
        if value > LARGEST:
            message = (
                f"{show(value)} is more than float32 can hold; allowed: at most {LARGEST:g}, or precision: float64"
            )
            yield Finding(name, message, ("precision",), place)


def _network_problem(name: str) -> str | None:
    """Why there is no network ``name``, if so."""
    if is_own(name):
        return own_code.problem(name, registry.GIVEN)
    return None if name in registry.NETWORKS else no_function(name, registry.NETWORKS)


def _check_network(run: Hyperparameters, dataset: Dataset | None) -> Iterator[Finding]:
    """The network, its options, and whether it reads what the data set holds."""
    unknown = _network_problem(run.network)
    if unknown:
        yield Finding("network", unknown)
        return
    source = registry.network_source(run.network)
    for problem in option_problems(source, run.network_options):
        yield Finding("network_options", problem.message, ("network",), problem.place)
    unknown = _pretrained_problem(run.network, source, run.network_options)
    if unknown:
        yield Finding("network_options", unknown, ("network",), (PRETRAINED[run.network],))
    yield from _check_content(run, dataset)


def _check_optimizer(run: Hyperparameters) -> Iterator[Finding]:
    """The optimizer, its options, and whether it has what is given beside them."""
    unknown = _optimizer_problem(run.optimizer)
    if unknown:
        yield Finding("optimizer", unknown)
        return
    source = optimizer_source(run.optimizer)
    for problem in option_problems(source, run.optimizer_options):
        yield Finding("optimizer_options", problem.message, ("optimizer",), problem.place)
    own = OPTIMIZERS.get(run.optimizer, ())
    for name in ("momentum", "nesterov", "weight_decay"):
        if getattr(run, name) and name not in own:
            options = f"its options are {', '.join(source.options)}" if source.options else "it has no options"
            message = f"{show(getattr(run, name))} has no meaning with optimizer {show(run.optimizer)}; {options}"
            yield Finding(name, message, ("optimizer",))
    if run.nesterov and not run.momentum:
        yield Finding("nesterov", "true needs momentum, and momentum is 0", ("momentum",))


def _optimizer_problem(name: str) -> str | None:
    """Why there is no optimizer ``name``, if so."""
    if not is_own(name):
        return None if name in OPTIMIZERS else no_function(name, OPTIMIZERS)
    problem = own_code.problem(name, OWN_GIVEN)
    if problem:
        return problem
    file, options = name.rpartition(":")[0], optimizer_source(name).options
    for function, given in OWN_BESIDE.items():
        if not defines(file, function):
            continue
        beside = f"{file}:{function}"
        problem = own_code.problem(beside, given)
        unknown = sorted(own_code.own_source(beside, given).options.keys() - options.keys()) if not problem else []
        if unknown:
            problem = f"'{function}' of '{file}' asks for '{unknown[0]}', which is no option of the optimizer: " + (
                f"it has {', '.join(options)}" if options else "it has none"
            )
        if problem:
            return problem
    return None


def _check_content(run: Hyperparameters, dataset: Dataset | None) -> Iterator[Finding]:
    """A network must read what the data set holds; of the user's own, only the user knows."""
    needed = registry.reads(run.network)
    held = dataset.content if dataset is not None else None
    if None not in (needed, held) and needed != held:
        message = f"{show(run.network)} reads {needed}, and data set {show(run.dataset)} holds {held}"
        yield Finding("network", message, ("dataset",))


def _check_snapshots(segments: tuple[Segment, ...], steps_per_epoch: int | None) -> Iterator[Finding]:
    previous = None
    for index, segment in enumerate(segments):
        until = segment.until
        if until is None and index < len(segments) - 1:
            yield Finding("snapshots", "required, but missing: only the last segment may omit it", (), (index, "until"))
            return
        if until is None:
            return
        now = (until, segment.unit)
        if previous and not may_follow(previous, now, steps_per_epoch):
            message = f"{words(now)} is not after the {words(previous)} of the segment before"
            yield Finding("snapshots", message, because(previous, now), (index, "until"))
        previous = now


def _check_number_of_snapshots(run: Hyperparameters, steps_per_epoch: int | None) -> Iterator[Finding]:
    """Where the size of the training set is not known, or not needed, training checks it again."""
    in_epochs = run.steps is None or any(segment.unit == "epoch" for segment in run.snapshots)
    if in_epochs and steps_per_epoch is None:
        return
    last = run.steps if run.steps is not None else run.epochs * (steps_per_epoch or 1)
    problem = snapshots_problem(segment_steps(run.snapshots, last, steps_per_epoch or 1))
    if problem:
        yield Finding("snapshots", problem, ("steps", "epochs", *(("dataset", "batch_size") if in_epochs else ())))


def _pretrained_problem(name: str, source: Source, given: Mapping[str, Any]) -> str | None:
    """Why it is not known which pretrained model or tokenizer network or loader ``name`` would load, if so."""
    option = PRETRAINED.get(name)
    if option is None:
        return None
    pretrained, revision = (given.get(each, source.options[each].default) for each in (option, "revision"))
    return revision_problem(pretrained, revision) if isinstance(pretrained, str) else None


def check_dataset(name: str, dataset: Dataset) -> Iterator[Problem]:
    """A pretrained tokenizer that may change; subsets that are larger than what they are drawn from."""
    unknown = _pretrained_problem(dataset.loader, loader_source(dataset.loader), dataset.options)
    if unknown:
        yield Problem(("datasets", name, PRETRAINED[dataset.loader]), unknown)
    fraction = dataset.subsets.validation_fraction
    if fraction is not None and dataset.training_examples == 0:
        yield Problem(("datasets", name, "validation_fraction"), f"{show(fraction)} leaves no example to train on")
    if dataset.available is None:
        return
    drawn = (dataset.subsets.train_examples, dataset.subsets.test_examples)
    for split, wanted, count in zip(("train", "test"), drawn, dataset.available, strict=True):
        if wanted is not None and wanted > count:
            words = "training" if split == "train" else split
            yield Problem(
                ("datasets", name, f"{split}_examples"), f"{wanted} is more than the {count} {words} examples"
            )


def check_measured(name: str, dataset: Dataset, batch_size: int) -> Iterator[Problem]:
    """K needs two mini-batches at least."""
    measured = dataset.measured_examples
    if measured is not None and measured // batch_size < 2:
        share = f"{dataset.subsets.measured_fraction:g} of {dataset.training_examples}"
        lower = f"make it at most {measured // 2} or " if measured > 1 else ""
        message = (
            f"{batch_size} is too large: the {measured} measured examples of data set {show(name)} ({share}) hold fewer than 2 "
            f"such mini-batches; {lower}raise the data set's measured_fraction"
        )
        yield Problem(("measurements", "covariance", "batch_size"), message)
