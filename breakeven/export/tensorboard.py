"""TensorBoard: a log folder for each run, with scalars in float32, which is all that it draws, and its hyperparameters."""

import tempfile
from pathlib import Path
from typing import Any

from breakeven.export.curves import Curves
from breakeven.store.errors import UserError

SUFFIX = ".breakeven"  # of our event files


def write_tensorboard(folder: Path, curves: Curves) -> None:
    """Write the event file of a run into ``folder/RUN``, whole or not at all, in place of an earlier one of ours."""
    writer, hparams = _imported()
    target = folder / curves.run
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=target) as temporary:
        with writer(temporary, filename_suffix=SUFFIX) as events:
            for summary in hparams(dict(curves.hyperparameters), dict.fromkeys(curves.curves, 0.0)):
                events.file_writer.add_summary(summary, walltime=curves.time)
            for tag, points in curves.curves.items():
                for step, value in points:
                    events.add_scalar(tag, value, step, curves.time)
        [written] = Path(temporary).iterdir()
        earlier = {*target.glob(f"events.out.tfevents.*{SUFFIX}")} - {target / written.name}
        written.rename(target / written.name)
    for path in earlier:
        path.unlink()


def _imported() -> tuple[Any, Any]:
    """PyTorch's writer, and its summaries of hyperparameters."""
    try:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams
    except ImportError as error:
        raise UserError(
            "export --tensorboard needs the package tensorboard: pip install 'tensorboard>=2.20'"
        ) from error
    return SummaryWriter, hparams
