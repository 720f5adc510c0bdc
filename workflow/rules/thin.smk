# Only where `keep_snapshots` asks for it. Before other runs are trained, which need the space.
rule thin_run:
    input:
        lambda w: inputs(MADE.thinned(w.run)),
    output:
        f"{RESULTS}/runs/{{run}}/kept_snapshots.json",
    log:
        f"{RESULTS}/logs/thin/{{run}}.log",
    priority: 1
    localrule: True
    resources:
        mem_mb=2000,
    params:
        start=lambda w: STARTED,
        results=RESULTS,
        keep=CONFIG.keep_snapshots,
        made_from=lambda w: made_from(MADE.thinned(w.run)),
    shell:
        "{params.start:q} thin --run {params.results:q}/runs/{wildcards.run} --state {params.results:q}/state/{wildcards.run} "
        "--keep {params.keep:q} --out {output:q} {params.made_from:q} > {log:q} 2>&1"
