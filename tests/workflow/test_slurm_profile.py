"""What jobs ask for with the profile for Slurm, as it is before a site is put in; tests/slurm runs it on a Slurm."""

import re

import pytest

from tests.workflow.project import MEASUREMENTS

pytestmark = pytest.mark.workflow


@pytest.mark.parametrize(("chosen", "gpus"), [((), "1"), (("--config", "device=cpu"), "0")])
def test_training_and_measuring_ask_for_a_gpu_wherever_snakemake_runs(fresh, chosen, gpus):
    said = fresh.snakemake("--dry-run", "--workflow-profile", "profiles/slurm", *chosen)
    assert said.returncode == 0, said.stdout
    jobs = re.findall(r"^rule (\w+):\n(?: {4}.*\n)*? {4}resources: (.*)$", said.stdout, re.MULTILINE)
    asked = {rule: dict(pair.split("=") for pair in resources.split(", ")) for rule, resources in jobs}
    assert {rule for rule in asked if "gpu" in asked[rule]} == {"train_run", *MEASUREMENTS}
    for rule in ("train_run", *MEASUREMENTS):
        assert [asked[rule][name] for name in ("gpu", "mem_mb", "runtime")] == [gpus, "4000", "240"]
    assert not [rule for rule in asked if asked[rule].keys() & {"slurm_partition", "slurm_account"}]


def test_a_run_as_one_job(fresh):
    """With lines of the profile that are comments: on a Slurm it asked for one GPU, the memory of one, the sum of the times."""
    profile = fresh.folder / "profiles/slurm/profile.yaml"
    text = profile.read_text(encoding="utf-8")
    start, end = text.index("# groups:"), text.index("# What a failed job said")
    grouped = re.sub("^# ", "", text[start:end], flags=re.MULTILINE)
    profile.write_text(text[:start] + grouped + text[end:], encoding="utf-8")
    said = fresh.snakemake("--dry-run", "--workflow-profile", "profiles/slurm", "--config", "device=cpu")
    assert said.returncode == 0, said.stdout
    assert said.stdout.count("Group job run") == 5  # as many as runs
