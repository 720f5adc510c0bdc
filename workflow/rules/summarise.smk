rule summarise_study:
    input:
        lambda w: inputs(MADE.tables(w.study)),
    output:
        runs=report(
            f"{RESULTS}/tables/{{study}}/runs.csv",
            caption="../report/tables.rst",
            category="{study}",
            labels={"table": "runs"},
        ),
        trajectories=f"{RESULTS}/tables/{{study}}/trajectories.csv",
    log:
        f"{RESULTS}/logs/summarise/{{study}}.log",
    localrule: True
    resources:
        mem_mb=2000,
    params:
        start=lambda w: STARTED,
        study=lambda w: as_json(MADE.tables(w.study).told),
        results=lambda w: RESULTS,
        out=lambda w: f"{RESULTS}/tables/{w.study}",
        made_from=lambda w: made_from(MADE.tables(w.study)),
    shell:
        "{params.start:q} summarise --results {params.results:q} --study - --out {params.out:q} {params.made_from:q} "
        "> {log:q} 2>&1 <<< {params.study:q}"
