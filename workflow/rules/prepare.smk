rule prepare_dataset:
    input:
        lambda w: inputs(MADE.data(w.dataset)),
    output:
        manifest=f"{RESULTS}/data/{{dataset}}/manifest.json",
        arrays=f"{RESULTS}/data/{{dataset}}/data.safetensors",
    log:
        f"{RESULTS}/logs/prepare/{{dataset}}.log",
    localrule: True
    resources:
        mem_mb=4000,
    params:
        start=lambda w: STARTED,
        spec=lambda w: as_json(MADE.data(w.dataset).told),
        location=lambda w: as_json(PLAN.datasets[w.dataset].location),
        out=lambda w: f"{RESULTS}/data/{w.dataset}",
        made_from=lambda w: made_from(MADE.data(w.dataset)),
    shell:
        "{params.start:q} prepare --spec {params.spec:q} --location {params.location:q} "
        "--out {params.out:q} {params.made_from:q} > {log:q} 2>&1"
