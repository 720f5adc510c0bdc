# The pipeline at a glance: config.yaml declares studies, the rules below turn them into runs, tables, verdicts and figures.
#
#     prepare -> train -> measure (covariance, hessian, stability) -> summarise -> claims, plot -> report
#
# snakemake --cores all                                        runs config.yaml
# snakemake --cores all --configfile workflow/configs/X.yaml   runs that config instead
#
# Another workflow may use it as a module: see docs/how-to/install.md. `snakemake --lint` misses a conda environment for each rule:
# all rules call one Python package, whose exact versions stand in requirements.txt, in the environment that Snakemake runs in.

from snakemake.utils import min_version

min_version("9.27")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/results_folder.smk"
include: "workflow/rules/freshness.smk"
include: "workflow/rules/warm.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/thin.smk"
include: "workflow/rules/embed.smk"
include: "workflow/rules/summarise.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/bundle.smk"
include: "workflow/rules/plot.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        promised,
    localrule: True


if IS_MODULE:
    if rules.has("write_report") and rules.write_report.output[0] != f"{RESULTS}/report.html":
        sys.exit(f"module {__name__}: no prefix, please; its config says where its results are: results: {RESULTS}")
    if workflow.is_main_process:
        os.environ[start.NOT_BEGUN] = __name__


onstart:
    # jobs on a cluster are invocations of their own, inside of this one
    if workflow.is_main_process:
        os.environ.pop(start.NOT_BEGUN, None)
        occupy_results()
        begin()
        warm_up()
        interrupt_once()


onsuccess:
    finish()
    if any(f"{RESULTS}/report.html" in job.output for job in workflow.dag.jobs):
        tell(f"The report is in {RESULTS}/report.html")


onerror:
    finish()
