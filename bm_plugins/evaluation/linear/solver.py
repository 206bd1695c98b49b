"""Several softmax regressions on the same features, fitted side by side."""

from collections import deque

import torch
from torch import Tensor

from .objective import SoftmaxObjective

# Between them the preconditioner is made anew.
STAGES = (1e-2, 1e-3, 1e-4, 1e-5)
MOST_EVALUATIONS = 2000


class LBFGS:
    """Minimise one smooth convex function, one evaluation at a time.

    Nocedal & Wright 2006, "Numerical Optimization", algorithm 7.4, with a
    diagonal preconditioner as H0 (scaled as in equation 7.20) and
    backtracking. The caller evaluates ``point`` and tells the result, so that
    many problems can share one pass over their data.

    Args:
        start (Tensor): Where to start, float64, any shape.
        inverse (Tensor): Guess of the inverse Hessian's diagonal, positive,
            of that shape.
        tolerance (float): Greatest absolute gradient at which to stop.
        noise (float): Relative rounding error of the values. Defaults to
            1e-14.
        history (int): Steps to remember. Defaults to 10.

    Attributes:
        point (Tensor): Where to evaluate next; the result once ``done``.
        done (bool): Whether ``tolerance`` is reached, or rounding hides any
            further progress.
    """

    def __init__(
        self,
        start: Tensor,
        inverse: Tensor,
        tolerance: float,
        noise: float = 1e-14,
        history: int = 10,
    ) -> None:
        self.point = start
        self.done = False
        self._inverse = inverse
        self._tolerance = tolerance
        self._noise = noise
        self._pairs: deque = deque(maxlen=history)
        self._value = None

    def tell(self, value: float, gradient: Tensor) -> None:
        """Take the function at ``point`` and choose the next one.

        Args:
            value (float): Its value.
            gradient (Tensor): Its gradient, float64, of the point's shape.
        """
        if self._value is not None:
            gain = self._step * self._slope
            allowed = self._value + 1e-4 * gain
            if not value <= allowed + self._noise * abs(self._value):
                self._shorten(value, gain)
                return
            self._remember(self.point - self._at, gradient - self._gradient)
        self._at, self._value, self._gradient = self.point, value, gradient
        if gradient.abs().max() <= self._tolerance:
            self.done = True
            return
        self._direction = self._quasi_newton(gradient)
        self._slope = float((gradient * self._direction).sum())
        self._step = 1.0
        self.point = self._at + self._direction

    def _shorten(self, value: float, gain: float) -> None:
        # Least point of the parabola through what is known; nan shortens too.
        best = -gain / (2 * (value - self._value - gain))
        self._step *= min(max(best, 0.1), 0.5) if best > 0 else 0.1
        if self._step < 1e-10:
            self.point, self.done = self._at, True
        else:
            self.point = self._at + self._step * self._direction

    def _remember(self, moved: Tensor, changed: Tensor) -> None:
        curvature = float((moved * changed).sum())
        if curvature > 0:  # rounding alone makes it otherwise
            self._pairs.append((moved, changed, curvature))

    def _quasi_newton(self, gradient: Tensor) -> Tensor:
        direction, shares = -gradient, []
        for moved, changed, curvature in reversed(self._pairs):
            share = float((moved * direction).sum()) / curvature
            direction = direction - share * changed
            shares.append(share)
        direction = direction * self._inverse
        if self._pairs:
            _, changed, curvature = self._pairs[-1]
            scale = float((changed * self._inverse * changed).sum())
            direction = direction * (curvature / scale)
        for pair, share in zip(self._pairs, reversed(shares), strict=True):
            moved, changed, curvature = pair
            back = float((changed * direction).sum()) / curvature
            direction = direction + (share - back) * moved
        return direction


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
