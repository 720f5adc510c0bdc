"""The bundle stage: Vega, Vega-Lite and Vega-Embed as one script, which all pages hold. It takes seconds to make."""

from pathlib import Path

import vl_convert

from breakeven.store.files import write_text
from breakeven.store.progress import say


def bundle(out: Path) -> None:
    """Write the script as it can stand inside a ``<script>`` element."""
    say("bundle what draws figures in a browser")
    script: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub forgets the default
    write_text(out, script.replace("</script", r"<\/script"))
    say(f"bundled: {out}")
