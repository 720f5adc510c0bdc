# Only where a figure of the study asks for it: see NEEDS_EMBEDDING in the modules of breakeven/figures.
rule embed_study:
    input:
        lambda w: inputs(MADE.embedding(w.study)),
    output:
        table=f"{RESULTS}/tables/{{study}}/embedding.csv",
    log:
        f"{RESULTS}/logs/embed/{{study}}.log",
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        start=lambda w: STARTED,
        study=lambda w: as_json(MADE.embedding(w.study).told),
        results=lambda w: RESULTS,
        made_from=lambda w: made_from(MADE.embedding(w.study)),
    shell:
        "{params.start:q} embed --results {params.results:q} --study - --out {output.table:q} "
        "{params.made_from:q} > {log:q} 2>&1 <<< {params.study:q}"
