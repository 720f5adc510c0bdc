rule write_report:
    input:
        lambda w: inputs(MADE.report()),
    output:
        f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report.log",
    localrule: True
    resources:
        mem_mb=2000,
    params:
        start=lambda w: STARTED,
        studies=lambda w: as_json(MADE.report().told),
        results=lambda w: RESULTS,
        config=lambda w: CONFIG_FILE,
        javascript=f"{RESULTS}/figures/vega.js",
        made_from=lambda w: made_from(MADE.report()),
    shell:
        "{params.start:q} report --results {params.results:q} --studies - "
        "--config {params.config:q} --javascript {params.javascript:q} --out {output:q} {params.made_from:q} > {log:q} 2>&1 <<< {params.studies:q}"
