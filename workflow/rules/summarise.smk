rule summarise_study:
    input:
        training=lambda w: [f"{RESULTS}/runs/{run}/training.json" for run in PLAN.studies[w.study].runs],
        history=lambda w: [f"{RESULTS}/runs/{run}/history.csv" for run in PLAN.studies[w.study].runs],
        covariance=lambda w: [f"{RESULTS}/runs/{run}/covariance.csv" for run in PLAN.studies[w.study].runs],
        hessian=lambda w: [f"{RESULTS}/runs/{run}/hessian.csv" for run in PLAN.studies[w.study].runs],
        stability=lambda w: [f"{RESULTS}/runs/{run}/stability.csv" for run in PLAN.studies[w.study].runs],
    output:
        runs=report(
            f"{RESULTS}/tables/{{study}}/runs.csv",
            caption="../report/tables.rst",
            category="{study}",
            labels={"table": "runs"},
        ),
        trajectories=f"{RESULTS}/tables/{{study}}/trajectories.csv",
    log:
        f"{RESULTS}/logs/summarise/{{study}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarise/{{study}}.tsv"
    localrule: True
    resources:
        mem_mb=2000,
    params:
        python=python,
        points=lambda w: as_json(study_points(PLAN.studies[w.study])),
        threshold=lambda w: f"accuracy threshold {PLAN.studies[w.study].accuracy_threshold}",
        code=stage_code("summarise", "breakeven.summary.summarise"),
        results=lambda w, threads: RESULTS,
        accuracy_threshold=lambda w, threads: PLAN.studies[w.study].accuracy_threshold,
        out=lambda w, threads: f"{RESULTS}/tables/{w.study}",
    shell:
        "{params.python:q} -m breakeven summarise --results {params.results:q} --points - "
        "--accuracy-threshold {params.accuracy_threshold} --out {params.out:q} > {log:q} 2>&1 <<< {params.points:q}"
