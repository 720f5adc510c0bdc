# Only where a figure of the study asks for it: see NEEDS_EMBEDDING in the modules of breakeven/figures.
rule embed_study:
    input:
        lambda w: inputs(MADE.embedding(w.study)),
    output:
        table=f"{RESULTS}/tables/{{study}}/embedding.csv",
    log:
        f"{RESULTS}/logs/embed/{{study}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed/{{study}}.tsv"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        python=sys.executable,
        study=lambda w: as_json(MADE.embedding(w.study).told),
        results=lambda w: RESULTS,
        key=lambda w: MADE.embedding(w.study).key,
    shell:
        "{params.python:q} -m breakeven embed --results {params.results:q} --study - --out {output.table:q} "
        "--key {params.key:q} > {log:q} 2>&1 <<< {params.study:q}"
