"""What results were made with, gathered from what each job said."""

from pathlib import Path
from types import SimpleNamespace

from breakeven.publish.collect import made_with

HEAD = "s\tcpu_time\tmax_rss\tfinished\tcommit\tbreakeven\tpython\ttorch\tprocessor\tcores\tgpu\n"


def said(results, name, text):
    path = results / "benchmarks/train" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return SimpleNamespace(rule="train_run", cost=Path("benchmarks/train") / f"{name}.tsv")


def test_jobs_of_the_same_machine_and_versions_are_a_row(tmp_path):
    on_a_cpu = "abc\t0.1.0\t3.11\t2.13\tA Processor\t2\t\n"
    jobs = [
        said(tmp_path, "a", f"{HEAD}10.0\t5.0\t100.0\t2026-01-02T00:00:30+00:00\t{on_a_cpu}"),
        said(tmp_path, "b", f"{HEAD}20.5\t7.0\t300.0\t2026-01-02T00:01:00+00:00\t{on_a_cpu}"),
        said(tmp_path, "c", f"{HEAD}1.0\t1.0\t50.0\t2026-01-03T00:00:00+00:00\tabc\t0.1.0\t3.12\t2.11\tX\t16\tH100\n"),
        said(tmp_path, "d", "s\tcpu_time\tmax_rss\n2.0\t3.0\t10.0\n"),  # of an older version
        said(tmp_path, "e", "\x00"),
    ]
    jobs.append(SimpleNamespace(rule="train_run", cost=Path("benchmarks/train/nothing.tsv")))
    first, gpu, silent = made_with(jobs, tmp_path).to_dict("records")
    assert (first["jobs"], first["s"], first["cpu_time"], first["max_rss"]) == (2, 30.5, 12, 300)
    assert (first["started"], first["finished"]) == ("2026-01-02T00:00:20Z", "2026-01-02T00:01:00Z")
    assert (gpu["jobs"], gpu["gpu"], gpu["torch"]) == (1, "H100", "2.11")
    assert (silent["jobs"], silent["s"]) == (3, 2) and silent["finished"] != silent["finished"]
