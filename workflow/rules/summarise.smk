rule summarise_study:
    input:
        **{each.name: of_runs(each.table) for each in MEASUREMENTS if each.always},
        training=of_runs("training.json"),
        history=of_runs("history.csv"),
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
    benchmark:
        f"{RESULTS}/benchmarks/summarise/{{study}}.tsv"
    localrule: True
    resources:
        mem_mb=2000,
    params:
        python=python,
        study=lambda w: study_json(w.study, "points", "accuracy_threshold"),
        code=stage_code("summarise"),
        results=lambda w, threads: RESULTS,
        out=lambda w, threads: f"{RESULTS}/tables/{w.study}",
    shell:
        "{params.python:q} -m breakeven summarise --results {params.results:q} --study - --out {params.out:q} "
        "> {log:q} 2>&1 <<< {params.study:q}"
