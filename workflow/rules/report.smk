rule write_report:
    input:
        runs=expand(f"{RESULTS}/tables/{{study}}/runs.csv", study=PLAN.studies),
        training=expand(f"{RESULTS}/runs/{{run}}/training.json", run=PLAN.runs),
        figures=expand(f"{RESULTS}/figures/{{study}}/{{figure}}.vl.json", study=PLAN.studies, figure=FIGURES),
    output:
        f"{RESULTS}/report.html",
    params:
        studies=as_json([drawn_study(name) | {"description": s.description} for name, s in PLAN.studies.items()]),
        code=f"report:{code_digest(['breakeven.report.build'], REPORT_FILES)}",
        results=lambda w, threads: RESULTS,
        config=lambda w, threads: CONFIG_FILES[0],
    resources:
        mem_mb=2000,
        runtime=30,
    log:
        f"{RESULTS}/logs/report.log",
    shell:
        "{PYTHON:q} -m breakeven report --results {params.results:q} --studies {params.studies:q} "
        "--config {params.config:q} --out {output:q} > {log:q} 2>&1"
