# Only where a figure of the study asks for it: see NEEDS_EMBEDDING in the modules of breakeven/figures.
rule embed_study:
    input:
        predictions=lambda w: [f"{RESULTS}/runs/{run}/predictions.safetensors" for run in PLAN.studies[w.study].runs],
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
        python=python,
        study=lambda w: study_json(w.study, "points"),
        code=stage_code("embed"),
        results=lambda w, threads: RESULTS,
    shell:
        "{params.python:q} -m breakeven embed --results {params.results:q} --study - --out {output.table:q} "
        "> {log:q} 2>&1 <<< {params.study:q}"
