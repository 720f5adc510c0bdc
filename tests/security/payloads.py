"""Files whose loading as a pickle runs code: here it would only write a marker."""

import io
import pickle
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch


class Harm:
    """When it is unpickled, ``marker`` is there."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def payloads(marker: Path) -> dict[str, bytes]:
    """The same harm in each format that Python's libraries would unpickle, by the name of what writes it."""
    harm = Harm(marker)
    files: dict[str, io.BytesIO] = {name: io.BytesIO() for name in FORMATS}
    for protocol in (0, 2, 5):
        files[f"pickle {protocol}"].write(pickle.dumps(harm, protocol))
    torch.save({"model": harm}, files["torch.save"])
    torch.save({"model": harm}, files["torch.save, before 1.6"], _use_new_zipfile_serialization=False)
    joblib.dump(harm, files["joblib"])
    np.save(files["numpy .npy"], np.array([harm], dtype=object), allow_pickle=True)
    np.savez(files["numpy .npz"], train_inputs=np.array([harm], dtype=object))
    pd.Series([harm]).to_pickle(files["pandas"])
    with zipfile.ZipFile(files["zip"], "w") as archive:
        archive.writestr("MNLI/train.tsv", pickle.dumps(harm))
    return {name: file.getvalue() for name, file in files.items()}


FORMATS = (
    "pickle 0",
    "pickle 2",
    "pickle 5",
    "torch.save",
    "torch.save, before 1.6",
    "joblib",
    "numpy .npy",
    "numpy .npz",
    "pandas",
    "zip",
)
