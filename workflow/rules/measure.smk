# One rule for each row of the table in breakeven/specs/measurements.py.
for measurement in MEASUREMENTS:

    rule:
        name:
            f"measure_{measurement.name}"
        input:
            of_run(measurement, inputs),
        output:
            **{folder: directory(f"{RESULTS}/runs/{{run}}/{folder}") for folder in measurement.folders},
            table=f"{RESULTS}/runs/{{run}}/{measurement.table}",
        log:
            f"{RESULTS}/logs/{measurement.name}/{{run}}.log",
        threads: CONFIG.threads
        resources:
            gpu=GPUS,
            mem_mb=growing(2000 + (CONFIG.memory_mb or MEMORY_MB)),
            runtime=growing(240),
        params:
            start=lambda w: STARTED,
            stage=measurement.name,
            told=of_run(
                measurement,
                lambda result: [
                    *("--run", folder_of(result.name)),
                    *("--data", data_of(result.name)),
                    *flags(result.told),
                    *made_from(result),
                ],
            ),
            device=DEVICE,
            memory=[] if CONFIG.memory_mb is None else ["--memory-mb", str(CONFIG.memory_mb)],
        shell:
            "{params.start:q} {params.stage} --out {output.table:q} {params.device:q} --threads {threads} {params.memory:q} "
            "{params.told:q} > {log:q} 2>&1"
