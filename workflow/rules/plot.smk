rule plot_figure:
    input:
        lambda w: inputs(MADE.figure(w.study, w.figure)),
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
    localrule: True
    resources:
        mem_mb=2000,
    params:
        start=lambda w: STARTED,
        study=lambda w: as_json(MADE.figure(w.study, w.figure).told),
        caption=lambda w: FIGURES[w.figure],  # for Snakemake's own report
        tables=lambda w: f"{RESULTS}/tables/{w.study}",
        out=lambda w: f"{RESULTS}/figures/{w.study}",
        javascript=f"{RESULTS}/figures/vega.js",
        made_from=lambda w: made_from(MADE.figure(w.study, w.figure)),
    shell:
        "{params.start:q} plot --figure {wildcards.figure} --study {params.study:q} --tables {params.tables:q} "
        "--out {params.out:q} --javascript {params.javascript:q} {params.made_from:q} > {log:q} 2>&1"
