"""Limited-memory BFGS by asking and telling."""

from collections import deque

from torch import Tensor


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
