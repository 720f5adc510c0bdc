"""A finding of two studies, as it lies in its folder."""

from breakeven.publish.published import About, PublishedStudy, write_about

COLUMNS = "claim,study,quantity,expected,observed,effect,ci_low,ci_high,p_value,n_seeds,verdict,paper_value,our_value"
# ruff: noqa: E501
CLAIMS = (
    COLUMNS
    + """,p_adjusted,figure,note,role,ci_level,unit,where,finding
C1.lambda_K.learning_rate,rate,"max λ_K^1, smoothed",falls with η,falls with η,0.25,0.2,0.3,0.0001,8,supported,0.87 (η = 0.1),1.54 (η = 0.1),0.0004,maxima,,primary,0.975,ratio,,It | falls
C1.lambda_H.batch_size,size,"max λ_H^1, smoothed; η = 0.1",rises with S,falls with S,0.5,0.4,0.6,0.0001,8,contradicted,,3 (S = 8),0.002,maxima,,primary,0.975,ratio,η = 0.1; reshuffled mini-batches,It falls at 0.1
C1.lambda_H.batch_size,size,"max λ_H^1, smoothed; η = 0.3",rises with S,rises with S,2,1.5,2.5,0.0001,8,supported,,4 (S = 8),0.002,maxima,,primary,0.975,ratio,η = 0.3; reshuffled mini-batches,It rises at 0.3
C1.lambda_H.batch_size,size,max λ_H^1; η = 0.1,rises with S,rises with S,7,1.5,2.5,0.0001,8,supported,,4 (S = 8),,maxima,,robustness,0.975,ratio,η = 0.1; reshuffled mini-batches,Raw
assumption.falls,rate,curvature,falls,falls,0.8,0.7,0.9,0.0001,8,supported,,,0.002,,,primary,0.975,ratio,,Curvature falls
batch_norm.trace_ratio,,,,,,,,,,inconclusive,,,,,no study sweeps the network,primary,0.975,,,
"""
)
RUNS = {
    "rate": "run,learning_rate,seed,diverged,max_lambda_H,break_even_step,final_test_accuracy\na,0.1,0,False,1,10,0.5\nb,0.1,1,False,100,,0.75\nc,0.3,0,True,7,30,1\n",
    "size": "run,batch_size,seed,diverged,max_lambda_H\nd,8,0,False,3\n",
}
MADE_WITH = """stage,jobs,s,cpu_time,max_rss,started,finished,commit,breakeven,python,torch,processor,cores,gpu
train,3,3600.0,1800.0,100,2026-01-02T10:00:00Z,2026-01-02T11:00:00Z,abc,0.1.0,3.11.7,2.13.0,A Processor,2,
train,1,60.0,30.0,100,,,,,,,,,
report,1,4.0,3.0,100,2026-01-01T10:00:00Z,2026-01-01T10:00:04Z,def,0.1.0,3.11.7,,Another,16,An H100
"""
NOTES = """# What η does

λ_H^1 is {{ here.effect("C1.lambda_K.learning_rate", "rate") }} times as large.

The second paragraph, {{ here.median("rate", "max_lambda_H", learning_rate=0.1) }}.

The third.
"""


def put_finding(folder, notes=NOTES):
    """The files of a finding but for its page."""
    studies = [
        PublishedStudy(name, f"What of {name}?", "learning rate η over 0.1 and 0.3", [*"01234567"], {}, [])
        for name in RUNS
    ]
    files = {"claims.csv": CLAIMS, "made_with.csv": MADE_WITH, "config.yaml": "studies: {}\n"}
    files |= {f"{name}/runs.csv": text for name, text in RUNS.items()}
    files |= {f"{name}/trajectories.csv.gz": "" for name in RUNS}
    if notes:
        files["notes.md.jinja"] = notes
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    write_about(folder, About("snakemake", "config.yaml", "1234567", "2026-01-01T00:00:00+00:00", studies))
