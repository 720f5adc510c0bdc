from dataclasses import asdict

# What every measurement reads.
SNAPSHOTS = {
    "manifest": lambda w: f"{data_of(w.run)}/manifest.json",
    "arrays": lambda w: ancient(f"{data_of(w.run)}/data.safetensors"),
    "spec": f"{RESULTS}/runs/{{run}}/run.yaml",
    "training": f"{RESULTS}/runs/{{run}}/training.json",  # has the digest of each snapshot
    "snapshots": ancient(f"{RESULTS}/runs/{{run}}/snapshots"),
}

# The mini-batches and the precision of what depends on H must be its own.
AS_OF_H = {name: getattr(PLAN.config.measurements.hessian, name) for name in ("batch_size", "precision")}


rule measure_covariance:
    input:
        **SNAPSHOTS,
    output:
        table=f"{RESULTS}/runs/{{run}}/covariance.csv",
    log:
        f"{RESULTS}/logs/covariance/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/covariance/{{run}}.tsv"
    threads: PLAN.config.threads
    resources:
        gpu=GPUS,
        mem_mb=growing(2000 + PLAN.config.memory_mb),
        runtime=growing(240),
    params:
        python=python,
        stage="covariance",
        settings=lambda w: as_json(asdict(PLAN.config.measurements.covariance)),
        code=lambda w: stage_code("covariance", "breakeven.measurements.covariance", w.run),
        device=device,
        memory_mb=memory_mb,
        run=lambda w, threads: f"{RESULTS}/runs/{w.run}",
        data=lambda w, threads: data_of(w.run),
    shell:
        "{params.python:q} -m breakeven {params.stage} --run {params.run:q} --data {params.data:q} "
        "--settings {params.settings:q} --out {output.table:q} {params.device:q} --threads {threads} "
        "--memory-mb {params.memory_mb} > {log:q} 2>&1"


use rule measure_covariance as measure_hessian with:
    output:
        table=f"{RESULTS}/runs/{{run}}/hessian.csv",
        eigenvectors=directory(f"{RESULTS}/runs/{{run}}/eigenvectors"),
    log:
        f"{RESULTS}/logs/hessian/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/hessian/{{run}}.tsv"
    params:
        python=python,
        stage="hessian",
        settings=lambda w: as_json(asdict(PLAN.config.measurements.hessian)),
        code=lambda w: stage_code("hessian", "breakeven.measurements.hessian", w.run),
        device=device,
        memory_mb=memory_mb,
        run=lambda w, threads: f"{RESULTS}/runs/{w.run}",
        data=lambda w, threads: data_of(w.run),


use rule measure_covariance as measure_stability with:
    input:
        **SNAPSHOTS,
        hessian=f"{RESULTS}/runs/{{run}}/hessian.csv",
        eigenvectors=ancient(f"{RESULTS}/runs/{{run}}/eigenvectors"),
    output:
        table=f"{RESULTS}/runs/{{run}}/stability.csv",
    log:
        f"{RESULTS}/logs/stability/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/stability/{{run}}.tsv"
    params:
        python=python,
        stage="stability",
        settings=lambda w: as_json(AS_OF_H),
        code=lambda w: stage_code("stability", "breakeven.measurements.stability", w.run),
        device=device,
        memory_mb=memory_mb,
        run=lambda w, threads: f"{RESULTS}/runs/{w.run}",
        data=lambda w, threads: data_of(w.run),


# Only where a figure asks for it: see embed.smk.
use rule measure_covariance as measure_predictions with:
    output:
        table=f"{RESULTS}/runs/{{run}}/predictions.safetensors",
    log:
        f"{RESULTS}/logs/predictions/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/predictions/{{run}}.tsv"
    params:
        python=python,
        stage="predictions",
        settings="{}",
        code=lambda w: stage_code("predictions", "breakeven.measurements.predictions", w.run),
        device=device,
        memory_mb=memory_mb,
        run=lambda w, threads: f"{RESULTS}/runs/{w.run}",
        data=lambda w, threads: data_of(w.run),


# Only where the config asks for it: see rule all.
use rule measure_covariance as measure_density with:
    output:
        table=f"{RESULTS}/runs/{{run}}/density.csv",
    log:
        f"{RESULTS}/logs/density/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/density/{{run}}.tsv"
    params:
        python=python,
        stage="density",
        settings=lambda w: as_json(asdict(PLAN.config.measurements.density) | AS_OF_H),
        code=lambda w: stage_code("density", "breakeven.measurements.density", w.run),
        device=device,
        memory_mb=memory_mb,
        run=lambda w, threads: f"{RESULTS}/runs/{w.run}",
        data=lambda w, threads: data_of(w.run),
