"""Which stages an edit of which module reruns: those whose digest of code has the module, for all modules of the package.

That a rule's parameters hold the digest of its stage, and that what follows is planned, is in ``tests/workflow``.
"""

import pytest

from breakeven.config.code_digest import PACKAGE, closure

NETWORK, FIGURE, LOADER = "networks.simple_cnn", "figures.lambda_K", "data.digits"

# Each stage and the modules that its rule names: the one place with their names.
STAGES = {
    "prepare": ("data.prepare", LOADER),
    "train": ("training.train", NETWORK, "training.optimizers.sgd"),
    "covariance": ("measurements.covariance", NETWORK),
    "hessian": ("measurements.hessian", NETWORK, "training.optimizers.sgd"),
    "stability": ("measurements.stability", NETWORK, "training.optimizers.sgd"),
    "assumptions": ("measurements.assumptions", NETWORK),
    "locate": ("measurements.locate", NETWORK, "training.optimizers.sgd"),
    "density": ("measurements.density", NETWORK),
    "sharpness": ("measurements.sharpness", NETWORK, "training.optimizers.sgd"),
    "blocks": ("measurements.blocks", NETWORK),
    "predictions": ("measurements.predictions", NETWORK),
    "thin": ("training.thin",),
    "summarise": ("summary.summarise",),
    "embed": ("summary.embed",),
    "claims": ("claims.evaluate",),
    "bundle": ("figures.bundle",),
    "plot": ("figures.plot", FIGURE),
    "report": ("report.build",),
}
MEASURED = {
    "covariance",
    "hessian",
    "stability",
    "assumptions",
    "locate",
    "density",
    "sharpness",
    "blocks",
    "predictions",
}
OF_A_RUN = {"train"} | MEASURED

# What an edit in each room may rerun at most. What a room above does reruns nothing below.
ROOMS = {
    "__init__": set(),
    "__main__": set(),
    "commands": set(),
    "stages": {"report"},
    "config": set(),
    "jobs": set(),
    "store": set(STAGES),
    "specs": set(STAGES),
    "data": {"prepare"} | OF_A_RUN,
    "networks": OF_A_RUN,
    "training": {"train", "hessian", "stability", "locate", "sharpness", "blocks", "predictions", "thin"},
    "spectra": MEASURED - {"predictions"},
    "measurements": MEASURED,
    "summary": {"summarise", "embed"},
    "claims": {"claims", "report"},
    "figures": {"bundle", "plot", "report"},
    "report": {"report"},
    "estimate": set(),
    "export": set(),
    "launch": set(),
    "prune": set(),
    "publish": set(),
}

EXACTLY = {
    "data.prepare": {"prepare"},
    "store.files": set(),  # how files are written
    "store.progress": set(),
    "store.notes": set(),
    "store.training_record": set(),
    "store.record": set(),
    "store.snapshots": OF_A_RUN,
    "store.eigenvectors": {"hessian", "stability", "assumptions", "locate", "blocks"},
    "store.predictions": {"predictions", "embed"},
    LOADER: {"prepare"},
    "data.cifar10": set(),  # nor any other loader, network or figure than the one that is used
    "data.dataset": OF_A_RUN,
    NETWORK: OF_A_RUN,
    "networks.build": OF_A_RUN,
    "networks.mlp": set(),
    "networks.primitive": MEASURED,
    "training.train": {"train"},
    "training.mini_batches": {"train", "locate", "sharpness"},
    "training.thin": {"thin"},
    "training.checkpoint_file": {"train"},
    "training.extension": {"train"},
    # whose condition and preconditioner are its module's
    "training.optimizers.sgd": {"train", "hessian", "stability", "locate", "sharpness"},
    "training.schedules.switches": {"train", "locate"},  # which takes steps again
    "training.schedules.cosine": set(),
    "training.step": {"train", "locate"},
    "training.augmentations.crop_flip": set(),
    "spectra.preconditioned": {"hessian", "locate", "blocks"},
    "measurements.measured": MEASURED,
    "measurements.covariance": {"covariance"},
    "measurements.hessian": {"hessian", "locate", "blocks"},  # whose start vectors are the same
    "measurements.stability": {"stability", "locate"},
    "measurements.assumptions": {"assumptions"},
    "measurements.locate": {"locate"},
    "measurements.density": {"density"},
    "measurements.blocks": {"blocks"},
    "measurements.sharpness": {"sharpness"},
    "measurements.predictions": {"predictions"},
    "spectra.gram_spectrum": {"covariance", "assumptions"},
    "spectra.hessian": {"hessian", "stability", "assumptions", "locate", "density", "sharpness", "blocks"},
    "spectra.lanczos": {"hessian", "locate", "density", "sharpness", "blocks"},
    "spectra.equation_1": {"stability", "locate", "sharpness"},
    "summary.summarise": {"summarise"},
    "summary.break_even": {"summarise"},
    "summary.embed": {"embed"},
    "claims.evaluate": {"claims"},
    "claims.catalogue": {"claims", "report"},
    "figures.bundle": {"bundle"},
    "figures.offline": {"plot", "report"},
    "figures.plot": {"plot"},
    FIGURE: {"plot"},
    "figures.maxima": set(),
    "figures.registry": set(),
    "report.build": {"report"},
    "specs.schedule": {"train", "locate", "summarise"},
    "specs.multipliers": set(),
    "specs.run": set(),  # what it says of a run is in the run's id
}


@pytest.fixture(scope="module")
def reruns():
    """The stages that an edit of each module reruns."""
    files = [path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py")]
    modules = {".".join(file.parts) for file in files}
    code = {stage: closure(f"breakeven.{module}" for module in start) for stage, start in STAGES.items()}
    found = {module: f"breakeven.{module}".removesuffix(".__init__") for module in modules}
    return {module: {stage for stage in STAGES if name in code[stage]} for module, name in found.items()}


def test_no_module_reruns_more_than_its_room_may(reruns):
    assert len(reruns) > 100
    assert {module.split(".")[0] for module in reruns} == ROOMS.keys()
    more = {module: stages - ROOMS[module.split(".")[0]] for module, stages in reruns.items()}
    assert {module: stages for module, stages in more.items() if stages} == {}


def test_what_these_modules_rerun(reruns):
    assert {module: reruns.get(module) for module in EXACTLY} == EXACTLY
