import sys
from pathlib import Path

# the synthetic tables of the figures' tests
sys.path.append(str(Path(__file__).parents[1] / "figures"))
