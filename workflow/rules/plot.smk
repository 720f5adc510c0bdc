rule plot_figure:
    input:
        javascript=f"{RESULTS}/figures/vega.js",
        runs=f"{RESULTS}/tables/{{study}}/runs.csv",
        trajectories=f"{RESULTS}/tables/{{study}}/trajectories.csv",
        embedding=lambda w: [f"{RESULTS}/tables/{w.study}/embedding.csv"] if w.figure in NEEDS_EMBEDDING else [],
    output:
        html=f"{RESULTS}/figures/{{study}}/{{figure}}.html",
        svg=report(
            f"{RESULTS}/figures/{{study}}/{{figure}}.svg",
            caption="../report/figure.rst",
            category="{study}",
            labels={"figure": "{figure}"},
        ),
        png=f"{RESULTS}/figures/{{study}}/{{figure}}.png",
        specification=f"{RESULTS}/figures/{{study}}/{{figure}}.vl.json",
        table=f"{RESULTS}/figures/{{study}}/{{figure}}.csv",
    log:
        f"{RESULTS}/logs/plot/{{study}}/{{figure}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot/{{study}}/{{figure}}.tsv"
    localrule: True
    resources:
        mem_mb=2000,
    params:
        python=python,
        study=lambda w: study_json(w.study, "name", "swept", "accuracy_threshold"),
        code=lambda w: stage_code("plot", f"breakeven.figures.{w.figure}", files=["figures/page.html.jinja"]),
        caption=lambda w, threads: FIGURES[w.figure],  # for Snakemake's own report
        tables=lambda w, threads: f"{RESULTS}/tables/{w.study}",
        out=lambda w, threads: f"{RESULTS}/figures/{w.study}",
    shell:
        "{params.python:q} -m breakeven plot --figure {wildcards.figure} --study {params.study:q} --tables {params.tables:q} "
        "--out {params.out:q} --javascript {input.javascript:q} > {log:q} 2>&1"
