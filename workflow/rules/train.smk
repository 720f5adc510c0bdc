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
        device=DEVICE,
        told=lambda w: [
            *("--spec", MADE.training(w.run).told),
            *("--data", data_of(w.run)),
            *("--out", folder_of(w.run)),
            *("--state", state_of(w.run)),
            *(f"--source={folder}" for folder in source_folders(w.run)),
            *(f"--initial-weights={file}" for file in weights_of(w.run)),
            *("--family", MADE.training(w.run).family),
            *made_from(MADE.training(w.run)),
        ],
    shell:
        "{params.start:q} train {params.device:q} --threads {threads} {params.told:q} > {log:q} 2>&1"
