rule measure_covariance:
    input:
        manifest=lambda w: f"{data_of(w.run)}/manifest.json",
        arrays=lambda w: ancient(f"{data_of(w.run)}/data.safetensors"),
        spec=f"{RESULTS}/runs/{{run}}/run.yaml",
        training=f"{RESULTS}/runs/{{run}}/training.json",
        # training.json has the digest of each snapshot
        snapshots=ancient(f"{RESULTS}/runs/{{run}}/snapshots"),
    output:
        f"{RESULTS}/runs/{{run}}/covariance.csv",
    log:
        f"{RESULTS}/logs/covariance/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/covariance/{{run}}.tsv"
    threads: PLAN.config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=4000,
        runtime=240,
    params:
        python=python,
        settings=lambda w: as_json(PLAN.config["measurements"]["covariance"]),
        code=lambda w: stage_code("covariance", "breakeven.measure_covariance", w.run),
        device=device,
        run=lambda w, threads: f"{RESULTS}/runs/{w.run}",
        data=lambda w, threads: data_of(w.run),
    shell:
        "{params.python:q} -m breakeven covariance --run {params.run:q} --data {params.data:q} "
        "--settings {params.settings:q} --out {output:q} --device {params.device} --threads {threads} "
        "> {log:q} 2>&1"


rule measure_hessian:
    input:
        manifest=lambda w: f"{data_of(w.run)}/manifest.json",
        arrays=lambda w: ancient(f"{data_of(w.run)}/data.safetensors"),
        spec=f"{RESULTS}/runs/{{run}}/run.yaml",
        training=f"{RESULTS}/runs/{{run}}/training.json",
        # training.json has the digest of each snapshot
        snapshots=ancient(f"{RESULTS}/runs/{{run}}/snapshots"),
    output:
        f"{RESULTS}/runs/{{run}}/hessian.csv",
    log:
        f"{RESULTS}/logs/hessian/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/hessian/{{run}}.tsv"
    threads: PLAN.config["threads"]
    resources:
        gpu=GPUS,
        mem_mb=4000,
        runtime=240,
    params:
        python=python,
        settings=lambda w: as_json(PLAN.config["measurements"]["hessian"]),
        code=lambda w: stage_code("hessian", "breakeven.measure_hessian", w.run),
        device=device,
        run=lambda w, threads: f"{RESULTS}/runs/{w.run}",
        data=lambda w, threads: data_of(w.run),
    shell:
        "{params.python:q} -m breakeven hessian --run {params.run:q} --data {params.data:q} "
        "--settings {params.settings:q} --out {output:q} --device {params.device} --threads {threads} "
        "> {log:q} 2>&1"
