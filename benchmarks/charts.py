"""Draw docs/speed.svg and docs/growth.svg from tables that ``all.py`` left.

The first: processor seconds of a study by stage, before and now (``study.py``), and products with H to λ_H^1 on digits by our
eigensolver and its peers (``hessian.py --digits``). The second: how seconds grow with parameters and examples (``scaling.py``).
"""

import argparse
from pathlib import Path

import altair as alt
import pandas as pd

from breakeven.figures.common import CONFIG, NOMINAL, ticks
from breakeven.figures.plot import svg

ROOT = Path(__file__).resolve().parents[1]
GREY = "#9a9a9a"
BLUE, ORANGE = NOMINAL[:2]
OURS = "breakeven"
SCALE = alt.Scale(type="log", nice=False, padding=12)
FEWER = "other stages"  # those that take less than a fiftieth


def main() -> None:
    """Write both."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--results", type=Path, default=ROOT / "benchmarks/results/2026-11-27", help="default: %(default)s"
    )
    options.add_argument("--out", type=Path, default=ROOT / "docs", help="default: %(default)s")
    arguments = options.parse_args()
    results = arguments.results
    speed = alt.hconcat(
        study(pd.read_csv(results / "study-2.csv"), pd.read_csv(results / "study-1.csv")),
        products(pd.read_csv(results / "hessian-digits-1.csv")),
        spacing=40,
    )
    growths = growth(pd.read_csv(results / "scaling-2.csv"), pd.read_csv(results / "scaling-1.csv", thousands=","))
    for name, chart in {"speed": speed, "growth": growths}.items():
        chart = chart.configure(**CONFIG.to_dict()).configure_view(stroke=None)
        (arguments.out / f"{name}.svg").write_text(svg(chart.to_dict()), encoding="utf-8")


def study(stages: pd.DataFrame, walls: pd.DataFrame) -> alt.LayerChart:
    """Processor seconds of each stage, before and now: two bars a stage."""
    stages = stages.rename(columns={"processor seconds": "stage", "before, all": "before", "now, all": "now"})
    sums = stages[stages["stage"] == "all"].iloc[0]
    stages = stages[stages["stage"] != "all"].copy()
    stages.loc[stages["before"] < sums["before"] / 50, "stage"] = FEWER
    stages = stages.groupby("stage", sort=False)[["before", "now"]].sum().reset_index()
    order = [*stages[stages["stage"] != FEWER].sort_values("before", ascending=False)["stage"], FEWER]
    wall = [f"{float(str(cell).split()[0]):.0f} s" for cell in walls["wall time, s"]]
    bars = alt.Chart(stages.melt("stage", var_name="when", value_name="seconds")).encode(
        x=alt.X("seconds:Q", title="processor seconds", axis=alt.Axis(tickCount=4)),
        y=alt.Y(
            "stage:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False), scale=alt.Scale(padding=0.3)
        ),
        yOffset=alt.YOffset("when:N", sort=["before", "now"]),
        color=alt.Color(
            "when:N",
            title=None,
            scale=alt.Scale(domain=["before", "now"], range=[GREY, BLUE]),
            legend=alt.Legend(orient="none", legendX=200, legendY=160, columns=1),
        ),
    )
    text = bars.mark_text(align="left", dx=3, fontSize=10).encode(text=alt.Text("seconds:Q", format=".0f"))
    return alt.layer(bars.mark_bar(), text).properties(
        width=270,
        height=220,
        title=alt.Title(
            "A study of 25 runs, by stage",
            subtitle=f"{sums['before']:.0f} → {sums['now']:.0f} processor seconds; {wall[0]} → {wall[1]} by the clock",
            anchor="start",
        ),
    )


def products(table: pd.DataFrame) -> alt.LayerChart:
    """Products with H to λ_H^1: the median over the snapshots, between the fewest and the most; ours stands out."""
    counts = table["matvecs"].str.extract(r"(?P<median>\d+) \((?P<fewest>\d+) to (?P<most>\d+)\)").astype(float)
    rows = counts.assign(solver=table.iloc[:, 0]).dropna()
    base = alt.Chart(rows).encode(
        y=alt.Y(
            "solver:N",
            sort=alt.EncodingSortField("median"),
            title=None,
            scale=alt.Scale(padding=0.8),
            axis=alt.Axis(ticks=False, domain=False, labelLimit=220),
        ),
        color=alt.condition(alt.datum.solver == OURS, alt.value(BLUE), alt.value(GREY)),
    )
    ranges = base.mark_rule(strokeWidth=3, opacity=0.6).encode(
        x=alt.X("fewest:Q", title="products with H", axis=alt.Axis(tickCount=4)), x2="most:Q"
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x="median:Q")
    text = base.mark_text(dy=-10, fontSize=10).encode(x="median:Q", text=alt.Text("median:Q", format=".0f"))
    return alt.layer(ranges, points, text).properties(
        width=270,
        height=220,
        title=alt.Title(
            "Products with H to λ_H^1, at 20 snapshots",
            subtitle="median, fewest to most; peers as loosely set as these allow",
            anchor="start",
        ),
    )


def growth(points: pd.DataFrame, exponents: pd.DataFrame) -> alt.HConcatChart:
    """Seconds of a product with H and of a gradient on logarithmic axes, with the power of the size that fits them."""
    symbols = {"parameters": "D", "examples": "n"}
    return alt.hconcat(*(panel(points, exponents, against, symbol) for against, symbol in symbols.items()), spacing=20)


def panel(points: pd.DataFrame, exponents: pd.DataFrame, against: str, symbol: str) -> alt.LayerChart:
    """One panel of `growth`."""
    keys = ["time of", "against"]
    rows = points[points["against"] == against].merge(exponents[[*keys, "exponent"]], on=keys)
    rows["power"] = [
        f"{what}: {symbol}^{power:.2f}" for what, power in zip(rows["time of"], rows["exponent"], strict=True)
    ]
    ends = rows.sort_values("size").groupby("time of").tail(1)
    base = alt.Chart(rows).encode(
        x=alt.X("size:Q", title=f"{against} {symbol} (log scale)", scale=SCALE, axis=axis(rows["size"], "~s")),
        y=alt.Y("seconds:Q", title="seconds (log scale)", scale=SCALE, axis=axis(rows["seconds"], "~g")),
        color=alt.Color("time of:N", legend=None, scale=alt.Scale(range=[ORANGE, BLUE])),
    )
    line = base.transform_regression("size", "seconds", method="pow", groupby=["time of"]).mark_line(opacity=0.5)
    text = base.mark_text(align="left", dx=9, fontSize=12).encode(text="power:N")
    text.data = ends
    return alt.layer(line, base.mark_point(filled=True, size=60, opacity=1), text).properties(
        width=230, height=220, title=alt.Title(f"Time against {against}", anchor="start")
    )


def axis(values: pd.Series, form: str) -> alt.Axis:
    """A logarithmic axis with round numbers alone."""
    return alt.Axis(format=form, values=ticks(values.min() / 1.1, values.max() * 1.1))


if __name__ == "__main__":
    main()
