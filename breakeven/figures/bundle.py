"""The bundle stage: Vega, Vega-Lite, Vega-Embed and what is ours, as one script for all pages; it takes seconds."""

from pathlib import Path

import vl_convert

from breakeven.figures.browser import SCRIPT
from breakeven.store.files import write_text
from breakeven.store.progress import say


def bundle(out: Path) -> None:
    """Write the script as it can stand inside a ``<script>`` element."""
    say("bundle what draws figures in a browser")
    script: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub forgets the default
    write_text(out, script.replace("</script", r"<\/script") + SCRIPT)
    say(f"bundled: {out}")
