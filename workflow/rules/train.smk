rule train_run:
    input:
        lambda w: inputs(MADE.training(w.run)),
    output:
        spec=f"{RESULTS}/runs/{{run}}/run.yaml",
        history=f"{RESULTS}/runs/{{run}}/history.csv",
        training=f"{RESULTS}/runs/{{run}}/training.json",
        snapshots=directory(f"{RESULTS}/runs/{{run}}/snapshots"),
    log:
        f"{RESULTS}/logs/train/{{run}}.log",
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        start=lambda w: STARTED,
        spec=lambda w: MADE.training(w.run).told,
        device=DEVICE,
        data=lambda w: data_of(w.run),
        out=lambda w: f"{RESULTS}/runs/{w.run}",
        # checkpoints: not an output, since Snakemake deletes the outputs of a job that failed
        state=lambda w: f"{RESULTS}/state/{w.run}",
        source=lambda w: [f"--source={folder}" for folder in source_folders(w.run)],
        made_from=lambda w: made_from(MADE.training(w.run)),
    shell:
        "{params.start:q} train --spec {params.spec:q} {params.made_from:q} --data {params.data:q} "
        "--out {params.out:q} --state {params.state:q} {params.source:q} {params.device:q} --threads {threads} > {log:q} 2>&1"
