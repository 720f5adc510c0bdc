import subprocess
import sys

CODE = """
from breakeven.specs.torchvision_import import torchvision_module
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


OWN = """
import torchvision
from beside import small


def build(input_shape, classes):
    return torchvision.models.resnet18(num_classes=classes)
"""
LOADED = """
import sys
from breakeven.specs.own_code import own_source
network = own_source("own.py:build", ("input_shape", "classes")).imported()
print("torchvision" in sys.modules, network((3, 8, 8), 4).fc.out_features)
"""


def test_a_file_of_the_users_own_imports_it_plainly(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "beside.py").write_text("from torchvision import datasets\nsmall = datasets.MNIST\n")
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", LOADED], cwd=tmp_path, text=True, capture_output=True
    )
    assert (done.returncode, done.stdout.split()) == (0, ["True", "4"]), done.stderr


def test_what_does_not_import_it_does_not_wait_for_it():
    code = "import sys; from breakeven.specs.torchvision_import import let_torchvision_import as let; let(); let()"
    code += "; print(sum(type(each).__name__ == '_Declaring' for each in sys.meta_path), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    assert done.stdout.split() == ["1", "False"], done.stderr
