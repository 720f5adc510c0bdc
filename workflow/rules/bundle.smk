# What all pages hold to open offline, in one file: it takes as long to make as two figures.
rule bundle_javascript:
    input:
        lambda w: inputs(MADE.javascript()),
    output:
        f"{RESULTS}/figures/vega.js",
    log:
        f"{RESULTS}/logs/bundle.log",
    localrule: True
    resources:
        mem_mb=2000,
    params:
        start=lambda w: STARTED,
        made_from=lambda w: made_from(MADE.javascript()),
    shell:
        "{params.start:q} bundle --out {output:q} {params.made_from:q} > {log:q} 2>&1"
