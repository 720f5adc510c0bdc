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
        keep=CONFIG.keep_snapshots,
        told=lambda w: ["--run", folder_of(w.run), "--state", state_of(w.run), *made_from(MADE.thinned(w.run))],
    shell:
        "{params.start:q} thin --keep {params.keep:q} --out {output:q} {params.told:q} > {log:q} 2>&1"
