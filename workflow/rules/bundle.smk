from importlib.metadata import version


# What all pages hold to open offline, in one file: it takes as long to make as two figures.
rule bundle_javascript:
    output:
        f"{RESULTS}/figures/vega.js",
    log:
        f"{RESULTS}/logs/bundle.log",
    localrule: True
    resources:
        mem_mb=2000,
    params:
        python=python,
        code=stage_code("bundle"),
        version=f"vl-convert-python {version('vl-convert-python')}",
    shell:
        "{params.python:q} -m breakeven bundle --out {output:q} > {log:q} 2>&1"
