"""Steps on a GPU that the host only queues: as one CUDA graph, so that the GPU waits neither for Python nor for an answer.

A step of a small network is about 60 kernels of a few microseconds, and takes Python longer to ask for than the GPU to do
(measured on an H100, SimpleCNN, S = 8: 2.9 ms, of which the GPU works 0.3). So

- the numbers of the examples and the draws of the augmentation of the next 64 steps lie on the device, and a step takes its
  own from there, by a position that it moves on by itself;
- whether loss and weights are finite is written down on the device, for the first step where they are not. The host reads it when
  it is asked for the `problem`: every 64 steps, and before anything is evaluated, saved or ended, so that nobody sees what
  was computed beyond that step;
- the kernels of a step are recorded once as a CUDA graph, and replayed. They are those of the plain step, with the same numbers:
  the first two replays are compared with plain steps from the same weights, to the bit, and where they differ, no graph is used.

The learning rate is a number of the graph, as it is one of the plain step's kernels. So each rate has a graph, recorded at the
third step with it: the first two are plain, and let libraries and optimizer make what they keep. Where the rate changes at each
step, as in warm-up, all are plain: none is recorded.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from breakeven.specs.own_code import is_own
from breakeven.store.progress import say
from breakeven.training.host_steps import HostSteps
from breakeven.training.precision import computing
from breakeven.training.step import Problem, Step

PLAIN = 2  # steps with a learning rate before they are recorded
COMPARED = 2  # that are compared: the second shows what the recording took for constant
NEVER = 2**62

Replay = Callable[[], None]
Record = Callable[[Callable[[], None]], Replay]


def steps_of(step: Step) -> "HostSteps | DeviceSteps":
    """How a run's steps are taken: as a graph where they can be, else one after the other; on a GPU the log says why."""
    if step.device.type != "cuda":
        return HostSteps(step)
    reason = _why_not(step)
    if not reason:
        return DeviceSteps(step, cuda_graph)
    say(f"each step is asked for by itself and not replayed as a CUDA graph: {reason}")
    return HostSteps(step)


def _why_not(step: Step) -> str:
    """Why the steps can't be recorded; empty where they may be."""
    if is_own(step.spec.network):
        return "code of your own may do at each step what a recording would not repeat"
    if not step.optimizer.recordable:
        return f"the optimizer {step.spec.optimizer} decides on the host"
    if step.mini_batches.dataset.train_inputs.device.type != "cuda":
        return "the training set is too large for the GPU"
    return ""


def cuda_graph(work: Callable[[], None]) -> Replay:
    """Record the kernels of ``work`` without running them; what is returned runs them, on the same memory."""
    graph = torch.cuda.CUDAGraph()
    recording: AbstractContextManager[None] = torch.cuda.graph(graph)
    with recording:
        work()
    replay: Replay = graph.replay
    return replay


class DeviceSteps:
    """The steps of a training, queued; ``record`` makes a function that repeats what a function does."""

    ahead = 64  # steps, at most, of what the host knows

    def __init__(self, step: Step, record: Record) -> None:
        self._step, self._record = step, record
        device = step.weights[0].device
        self._position = torch.zeros(1, dtype=torch.int64, device=device)
        self._number = torch.zeros((), dtype=torch.int64, device=device)
        self._bad = torch.full((), NEVER, dtype=torch.int64, device=device)
        self._found = torch.zeros(2, dtype=torch.float64, device=device)
        self._queued = range(0)  # the numbers of the steps that are not taken and whose examples are on the device
        self._examples = torch.empty(0)
        self._draws: Tensor | None = None
        self._rate = math.nan  # of the last step
        self._taken = 0  # steps with this rate
        self._replay: Replay | None = None
        self._plain_only = False

    @property
    def replayed(self) -> bool:
        """Whether the next step with this learning rate is a replay."""
        return self._replay is not None

    def take(self, number: int, learning_rate: float) -> None:
        """Queue θ_t → θ_{t+1} with t = ``number``."""
        if not self._queued or number != self._queued[0]:
            self._queue(number)
        self._queued = self._queued[1:]
        if learning_rate != self._rate:
            self._rate, self._taken, self._replay = learning_rate, 0, None
        self._step.seed_layers(number)
        if self._taken < PLAIN or self._plain_only:
            self._plain()
        elif self._taken < PLAIN + COMPARED or self._replay is None:
            self._compared(number)
        else:
            self._replay()
        self._taken += 1

    def problem(self) -> Problem | None:
        """The first step that was not finite, if one was; waits for the device."""
        number = int(self._bad)
        return None if number == NEVER else Problem(number, *self._found.tolist())

    def _queue(self, number: int) -> None:
        """Bring the examples and draws of the steps from ``number`` on to the device, into the same memory as those before."""
        mini_batches, device = self._step.mini_batches, self._position.device
        numbers = range(number, number + self.ahead)
        examples = torch.stack([mini_batches.examples_of(each) for each in numbers])
        drawn = [draws for draws in map(mini_batches.draws, numbers) if draws is not None]
        draws = _on(device, torch.stack(drawn)) if drawn else None
        if not len(self._examples):
            self._examples, self._draws = examples, draws
        else:
            self._examples.copy_(examples)
            if self._draws is not None and draws is not None:
                self._draws.copy_(draws)
        self._position.zero_()
        self._number.fill_(number)
        self._queued = numbers

    def _plain(self) -> None:
        """The step that is next in the queue, in kernels that need nothing of the host but the learning rate."""
        step = self._step
        examples = self._examples.index_select(0, self._position)[0]
        draws = None if self._draws is None else self._draws.index_select(0, self._position)[0]
        mini_batch = step.mini_batches.gather(examples, draws)
        with computing(step.spec.precision, step.device):
            loss = step.loss(*mini_batch)
            self._note(loss)
            step.update(loss, self._rate)
        self._position.add_(1)
        self._number.add_(1)

    def _note(self, loss: Tensor) -> None:
        """Write down the step's number, its loss and its largest weight, if one is not finite and none was before."""
        largest = torch.stack(
            [norm.to(torch.float64) for norm in torch._foreach_norm(self._step.weights, math.inf)]
        ).max()
        found = torch.stack([loss.detach().to(torch.float64), largest])
        first = ~found.isfinite().all() & (self._bad == NEVER)
        self._found.copy_(torch.where(first, found, self._found))
        self._bad.copy_(torch.where(first, self._number, self._bad))

    def _compared(self, number: int) -> None:
        """Take the step as it was recorded, and again as a plain one, which counts; where they differ, plain ones follow."""
        changing = self._changing()
        before = [tensor.clone() for tensor in changing]
        problem = "it did not give the numbers of the plain step"
        try:
            if self._replay is None:
                self._replay = self._record(self._plain)
            self._step.seed_layers(number)
            self._replay()
        except RuntimeError as error:
            problem = str(error).strip().splitlines()[0]
            self._replay = None
        replayed = [tensor.clone() for tensor in changing]
        for tensor, value in zip(changing, before, strict=True):
            tensor.copy_(value)
        self._step.seed_layers(number)
        self._plain()
        same = all(
            torch.allclose(*pair, rtol=0, atol=0, equal_nan=True) for pair in zip(changing, replayed, strict=True)
        )
        if self._replay is None or not same:
            self._replay, self._plain_only = None, True
            say(f"steps are not replayed as a CUDA graph: {problem}")

    def _changing(self) -> list[Tensor]:
        """All that a step changes."""
        buffers, remembered = self._step.model.buffers(), self._step.optimizer.state().values()
        return [*self._step.weights, *buffers, *remembered, self._position, self._number, self._bad, self._found]


def _on(device: torch.device, tensor: Tensor) -> Tensor:
    """A tensor of the host on the device, which the host does not wait for."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
