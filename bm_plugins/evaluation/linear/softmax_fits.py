"""Several softmax regressions on the same features, fitted side by side."""

import torch
from torch import Tensor

from .lbfgs import LBFGS
from .softmax_objective import SoftmaxObjective

# Between them the preconditioner is made anew.
STAGES = (1e-2, 1e-3, 1e-4, 1e-5)
MOST_EVALUATIONS = 2000


class SoftmaxFits:
    """Fits that share each pass over the features.

    One goes on where it stopped, so that a path over the regularisation,
    from strong to weak, costs little more than its last value.

    Args:
        objective (SoftmaxObjective): The problems.
        start (Tensor, optional): (K, D + 1, C), where to start. Defaults to
            W = 0 and b = the logarithm of the classes' shares.

    Attributes:
        thetas (Tensor): The parameters (K, D + 1, C), W transposed over b,
            float64. A constant on all of b changes no probability: its mean
            is 0.
    """

    def __init__(
        self, objective: SoftmaxObjective, start: Tensor | None = None
    ) -> None:
        self._objective = objective
        share = objective.shares
        self._spreads = share * (1 - share)
        if start is None:
            length = len(objective.spectrum.values)
            zeros = share.new_zeros(len(share), length, share.size(1))
            self._turned = torch.cat([zeros, share.log()[:, None]], dim=1)
        else:
            self._turned = objective.turn(start)

    @property
    def thetas(self) -> Tensor:
        thetas = self._objective.turn_back(self._turned)
        thetas[:, -1] -= thetas[:, -1].mean(1, keepdim=True)
        return thetas

    def held_out_predictions(self) -> Tensor:
        """Class of each sample (N,), by the fit that left it out."""
        return self._objective.predictions(self._turned)

    def minimise(self, l2: float, tolerance: float) -> None:
        """Go on to the minimum for ``l2``.

        Args:
            l2 (float): Weight of the squared norm.
            tolerance (float): Greatest gradient at which to stop.
        """
        for stage in (*STAGES, tolerance):
            if stage >= tolerance:
                self._minimise(l2, stage)

    def _minimise(self, l2: float, tolerance: float) -> None:
        objective = self._objective
        searches = [
            LBFGS(
                theta,
                objective.inverse_diagonal(spread, l2),
                tolerance,
                objective.noise,
            )
            for theta, spread in zip(self._turned, self._spreads, strict=True)
        ]
        active = list(range(len(searches)))
        for _ in range(MOST_EVALUATIONS):
            points = torch.stack([searches[k].point for k in active])
            values, gradients, spreads = objective(points, l2, active)
            for number, k in enumerate(active):
                searches[k].tell(float(values[number]), gradients[number])
                self._spreads[k] = spreads[number]
            active = [k for k in active if not searches[k].done]
            if not active:
                break
        self._turned = torch.stack([search.point for search in searches])
