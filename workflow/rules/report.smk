SHOWN = ("name", "description", "swept", "accuracy_threshold", "figures")
TEMPLATES = [f"report/report.{suffix}" for suffix in ("html.jinja", "css", "js")]


rule write_report:
    input:
        javascript=f"{RESULTS}/figures/vega.js",
        runs=expand(f"{RESULTS}/tables/{{study}}/runs.csv", study=PLAN.studies),
        training=expand(f"{RESULTS}/runs/{{run}}/training.json", run=PLAN.runs),
        claims=f"{RESULTS}/tables/claims.csv",
        figures=[
            f"{RESULTS}/figures/{name}/{figure}.vl.json" for name, s in PLAN.studies.items() for figure in s.figures
        ],
    output:
        f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report.log",
    localrule: True
    resources:
        mem_mb=2000,
    params:
        python=python,
        studies=lambda w: as_json([part_of(study, *SHOWN) for study in PLAN.studies.values()]),
        code=stage_code("report", files=TEMPLATES),
        captions=lambda w: f"captions of the report: {as_json(captions())}",  # the registry is in no digest of code
        results=lambda w, threads: RESULTS,
        config=lambda w, threads: CONFIG_FILES[0],
    shell:
        "{params.python:q} -m breakeven report --results {params.results:q} --studies - "
        "--config {params.config:q} --javascript {input.javascript:q} --out {output:q} > {log:q} 2>&1 <<< {params.studies:q}"
