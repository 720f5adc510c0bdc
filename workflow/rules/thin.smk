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
        run=lambda w: f"{RESULTS}/runs/{w.run}",
        state=lambda w: f"{RESULTS}/state/{w.run}",
        keep=CONFIG.keep_snapshots,
        made_from=lambda w: made_from(MADE.thinned(w.run)),
    shell:
        "{params.start:q} thin --run {params.run:q} --state {params.state:q} --keep {params.keep:q} --out {output:q} "
        "{params.made_from:q} > {log:q} 2>&1"
