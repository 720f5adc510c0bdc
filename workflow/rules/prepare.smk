rule prepare_dataset:
    output:
        manifest=f"{RESULTS}/data/{{dataset}}/manifest.json",
        arrays=f"{RESULTS}/data/{{dataset}}/data.safetensors",
    log:
        f"{RESULTS}/logs/prepare/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/prepare/{{dataset}}.tsv"
    localrule: True
    resources:
        mem_mb=4000,
    params:
        python=python,
        spec=lambda w: as_json(PLAN.datasets[w.dataset].spec),
        location=lambda w, threads: as_json(PLAN.datasets[w.dataset].location),
        out=lambda w, threads: f"{RESULTS}/data/{w.dataset}",
        code=lambda w: stage_code("prepare", loader_module(PLAN.datasets[w.dataset].spec["loader"])),
    shell:
        "{params.python:q} -m breakeven prepare --spec {params.spec:q} --location {params.location:q} "
        "--out {params.out:q} > {log:q} 2>&1"
