rule evaluate_claims:
    input:
        lambda w: inputs(MADE.claims()),
    output:
        f"{RESULTS}/tables/claims.csv",
    log:
        f"{RESULTS}/logs/claims.log",
    localrule: True
    resources:
        mem_mb=2000,
    params:
        start=lambda w: STARTED,
        studies=lambda w: as_json(MADE.claims().told),
        tables=lambda w: f"{RESULTS}/tables",
        made_from=lambda w: made_from(MADE.claims()),
    shell:
        "{params.start:q} claims --tables {params.tables:q} --studies - --out {output:q} {params.made_from:q} "
        "> {log:q} 2>&1 <<< {params.studies:q}"
