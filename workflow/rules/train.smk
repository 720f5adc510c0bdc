rule train_run:
    input:
        manifest=lambda w: f"{data_of(w.run)}/manifest.json",
        arrays=lambda w: ancient(f"{data_of(w.run)}/data.safetensors"),
        # where the learning rate switches at the break-even point of another run, what says where that is
        source=lambda w: [f"{folder}/stability.csv" for folder in source_folders(w.run)],
    output:
        spec=f"{RESULTS}/runs/{{run}}/run.yaml",
        history=f"{RESULTS}/runs/{{run}}/history.csv",
        training=f"{RESULTS}/runs/{{run}}/training.json",
        snapshots=directory(f"{RESULTS}/runs/{{run}}/snapshots"),
    log:
        f"{RESULTS}/logs/train/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{run}}.tsv"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        python=python,
        spec=lambda w: canonical_json(spec_of(w.run)),
        code=lambda w: network_code("train", w.run, *modules_of(spec_of(w.run))),
        device=device,
        data=lambda w, threads: data_of(w.run),
        out=lambda w, threads: f"{RESULTS}/runs/{w.run}",
        # checkpoints: not an output, since Snakemake deletes the outputs of a job that failed
        state=lambda w, threads: f"{RESULTS}/state/{w.run}",
        source=lambda w, threads: [f"--source={folder}" for folder in source_folders(w.run)],
    shell:
        "{params.python:q} -m breakeven train --spec {params.spec:q} --code {params.code:q} --data {params.data:q} "
        "--out {params.out:q} --state {params.state:q} {params.source:q} {params.device:q} --threads {threads} > {log:q} 2>&1"
