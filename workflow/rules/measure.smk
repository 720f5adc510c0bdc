# One rule for each row of the table in breakeven/specs/measurements.py.
for measurement in MEASUREMENTS:

    rule:
        name:
            f"measure_{measurement.name}"
        input:
            **tables_of(measurement),
            manifest=lambda w: f"{data_of(w.run)}/manifest.json",
            arrays=lambda w: ancient(f"{data_of(w.run)}/data.safetensors"),
            spec=f"{RESULTS}/runs/{{run}}/run.yaml",
            training=f"{RESULTS}/runs/{{run}}/training.json",  # has the digest of each snapshot
            snapshots=ancient(f"{RESULTS}/runs/{{run}}/snapshots"),
        output:
            **{folder: directory(f"{RESULTS}/runs/{{run}}/{folder}") for folder in measurement.folders},
            table=f"{RESULTS}/runs/{{run}}/{measurement.table}",
        log:
            f"{RESULTS}/logs/{measurement.name}/{{run}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/{measurement.name}/{{run}}.tsv"
        threads: CONFIG.threads
        resources:
            gpu=GPUS,
            mem_mb=growing(2000 + CONFIG.memory_mb),
            runtime=growing(240),
        params:
            python=python,
            stage=measurement.name,
            settings=flags(values_of(measurement, CONFIG.measurements)),
            code=code_of(measurement),
            device=device,
            memory_mb=memory_mb,
            run=lambda w, threads: f"{RESULTS}/runs/{w.run}",
            data=lambda w, threads: data_of(w.run),
        shell:
            "{params.python:q} -m breakeven {params.stage} --run {params.run:q} --data {params.data:q} {params.settings:q} "
            "--out {output.table:q} {params.device:q} --threads {threads} --memory-mb {params.memory_mb} > {log:q} 2>&1"
