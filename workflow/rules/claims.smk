rule evaluate_claims:
    input:
        runs=expand(f"{RESULTS}/tables/{{study}}/runs.csv", study=sorted(PLAN.studies)),
        trajectories=expand(f"{RESULTS}/tables/{{study}}/trajectories.csv", study=sorted(PLAN.studies)),
    output:
        f"{RESULTS}/tables/claims.csv",
    log:
        f"{RESULTS}/logs/claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/claims.tsv"
    localrule: True
    resources:
        mem_mb=2000,
    params:
        python=python,
        # sorted: reordering the studies of a config changes no verdict
        studies=lambda w: as_json([part_of(PLAN.studies[name], "name", "swept") for name in sorted(PLAN.studies)]),
        code=stage_code("claims"),
        tables=lambda w, threads: f"{RESULTS}/tables",
    shell:
        "{params.python:q} -m breakeven claims --tables {params.tables:q} --studies - --out {output:q} "
        "> {log:q} 2>&1 <<< {params.studies:q}"
