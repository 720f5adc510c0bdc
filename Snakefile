# The pipeline at a glance: config.yaml declares studies, the rules below turn them into runs, tables, verdicts and figures.
#
#     prepare -> train -> measure (covariance, hessian, stability) -> summarise -> claims, plot -> report
#
# snakemake --cores all                                        runs config.yaml
# snakemake --cores all --configfile workflow/configs/X.yaml   runs that config instead

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


onstart:
    # jobs on a cluster are invocations of their own, inside of this one
    if workflow.is_main_process:
        occupy_results()
        begin()
        warm_up()


onsuccess:
    finish()
    if any(job.rule.name == "write_report" for job in workflow.dag.jobs):
        print(f"The report is in {RESULTS}/report.html")


onerror:
    finish()
