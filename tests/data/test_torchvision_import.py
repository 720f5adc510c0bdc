import subprocess
import sys

CODE = """
from breakeven.data.torchvision_import import torchvision_module
datasets = torchvision_module("torchvision.datasets")
assert torchvision_module("torchvision.datasets") is datasets
import torchvision, torchvision.models
print(datasets.__name__, datasets.CIFAR10.__name__, callable(datasets.utils.download_url))
print(torchvision.models.resnet18(num_classes=3).fc.out_features)
"""


def test_torchvision_imports_beside_this_torch():
    """In a fresh process, since only the first import can fail."""
    done = subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", CODE], text=True, capture_output=True)
    assert (done.returncode, done.stdout.split()) == (0, ["torchvision.datasets", "CIFAR10", "True", "3"]), done.stderr
