"""What the profile makes of the workflow, where no Slurm is at hand."""

import re

import pytest

from tests.slurm.night import GPU_RULES

pytestmark = pytest.mark.workflow


@pytest.mark.parametrize(("chosen", "gpus"), [((), "1"), (("--config", "device=cpu"), "0")])
def test_training_and_measuring_are_jobs_with_a_gpu_and_the_rest_is_local(fresh, chosen, gpus):
    said = fresh.snakemake("--dry-run", "--workflow-profile", "profiles/slurm", *chosen)
    assert said.returncode == 0, said.stdout
    jobs = re.findall(r"^(localrule|rule) (\w+):\n(?: {4}.*\n)*? {4}resources: (.*)$", said.stdout, re.MULTILINE)
    submitted = {rule: resources for kind, rule, resources in jobs if kind == "rule"}
    assert submitted.keys() == set(GPU_RULES)
    for resources in submitted.values():
        asked = dict(pair.split("=") for pair in resources.split(", "))
        assert (asked["gpu"], asked["mem_mb"], asked["runtime"]) == (gpus, "4000", "240")
        assert (
            "slurm_partition" not in asked and "slurm_account" not in asked
        )  # the cluster's own, until a site is put in
    local = {rule for kind, rule, _ in jobs if kind == "localrule"}
    assert local == {"all", "prepare_dataset", "summarise_study", "evaluate_claims", "plot_figure", "write_report"}
