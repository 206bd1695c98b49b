"""The objective of softmax regression, of several folds in one pass."""

import torch
from torch import Tensor

from bm_plugins.errors import InputError

from .preprocessing import (
    Spectrum,
    principal_axes,
    rows_at_a_time,
    working_type,
)


def check_class_weight(class_weight: str | None) -> None:
    """Refuse a weighting that is not known.

    Raises:
        InputError: It is neither ``'balanced'`` nor None.
    """
    if class_weight not in ('balanced', None):
        raise InputError(
            f"class_weight={class_weight!r}: expected 'balanced', each class "
            'of the same weight, or None, each image of the same weight.'
        )


def weights_of_classes(counts: Tensor, class_weight: str | None) -> Tensor:
    """Weight of a sample of each class, of mean 1 over the samples.

    Of samples (..., C), float64; ``class_weight`` as for
    :class:`SoftmaxObjective`.
    """
    if class_weight is None:
        return torch.ones_like(counts)
    present = (counts > 0).sum(-1, keepdim=True)
    return counts.sum(-1, keepdim=True) / present / counts.clamp(min=1)


def weighted_axes(
    features: Tensor, labels: Tensor, class_weight: str | None
) -> Spectrum:
    """Principal axes of (N, D) features, classes weighted as in the loss.

    Along them the Hessian is nearest to diagonal.
    """
    check_class_weight(class_weight)
    if class_weight is None:
        return principal_axes(features)
    counts = labels.bincount().double()
    weights = weights_of_classes(counts, class_weight)
    return principal_axes(features, weights[labels])


class SoftmaxObjective:
    """Mean cross-entropies plus ``l2`` / 2 times the weights' squared norms.

    The means are weighted by class. K problems share the features; each
    leaves out its own samples and has its own parameters, and one pass over
    the features serves all. The parameters stand along the principal axes,
    where the Hessian is nearly diagonal. Sums over samples are float64;
    products of features are float32 where there are many
    (:func:`working_type`).

    Args:
        features (Tensor): (N, D); many are never copied as a whole.
        labels (Tensor): (N,) int64, each of the classes 0...C-1 present.
        spectrum (Spectrum): Of these features, best weighted alike.
        left_out (Tensor, optional): Number of the problem that does not see
            the sample (N,), int64; -1 where all do. Defaults to None: there
            is one problem, which sees all.
        class_weight (str, optional): ``'balanced'`` weighs a sample of class
            c by N / (C n_c), of the N samples, C classes and n_c samples of
            the class that the problem sees, so that each class has the same
            part in the mean (King & Zeng 2001, "Logistic Regression in Rare
            Events Data", the weighting, with equal shares). None weighs all
            alike. Defaults to ``'balanced'``.
        offset (Tensor, optional): Logits (N, C), float64, to which those of
            the parameters are added, so that the norm is of the change from
            the classifier that gave them. Defaults to None: 0.

    Attributes:
        weights (Tensor): Of a sample of each class (K, C), float64.
        shares (Tensor): Of each class in the mean (K, C), float64.

    Raises:
        InputError: ``class_weight`` is neither.
    """

    def __init__(
        self,
        features: Tensor,
        labels: Tensor,
        spectrum: Spectrum,
        left_out: Tensor | None = None,
        class_weight: str | None = 'balanced',
        offset: Tensor | None = None,
    ) -> None:
        check_class_weight(class_weight)
        self._offset = offset
        if left_out is None:
            left_out = torch.full_like(labels, -1)
        self.labels = labels
        self.spectrum = spectrum
        self.left_out = left_out
        self.dtype = working_type(features)
        # Few are turned once, many stay: their parameters are turned.
        self._few = self.dtype == torch.float64
        self._x = features.double() @ spectrum.axes if self._few else features
        #: Relative rounding error of a value.
        self.noise = 1e-14 if self._few else 1e-9
        counts = self.class_counts()
        self.weights = weights_of_classes(counts, class_weight)
        total = self.weights * counts
        self.shares = total / total.sum(1, keepdim=True)

    def class_counts(self) -> Tensor:
        """Samples that each problem sees, by class (K, C), float64."""
        problems = max(1, int(self.left_out.max()) + 1)
        classes = int(self.labels.max()) + 1
        whole = torch.bincount(self.labels, minlength=classes)
        return torch.stack(
            [
                whole - self.labels[self.left_out == k].bincount(None, classes)
                for k in range(problems)
            ]
        ).double()

    def turn(self, theta: Tensor) -> Tensor:
        """From the features' axes (..., D + 1, C) to the principal ones."""
        weight = self.spectrum.axes.t() @ theta[..., :-1, :]
        return torch.cat([weight, theta[..., -1:, :]], dim=-2)

    def turn_back(self, theta: Tensor) -> Tensor:
        """From the principal axes (..., R + 1, C) to the features'."""
        weight = self.spectrum.axes @ theta[..., :-1, :]
        return torch.cat([weight, theta[..., -1:, :]], dim=-2)

    def inverse_diagonal(self, spread: Tensor, l2: float) -> Tensor:
        """About the inverse of the Hessian's diagonal (R + 1, C).

        The Hessian's block of class c is the mean of p_c (1 - p_c) x x^T,
        diagonal along the axes if p and x were independent; ``spread`` (C,)
        is the weighted mean p_c (1 - p_c), ``l2`` the norm's weight.
        """
        weight = self.spectrum.values[:, None] * spread + l2
        return torch.cat([weight, spread[None]]).clamp(min=1e-12).reciprocal()

    def __call__(
        self, thetas: Tensor, l2: float, problems: list[int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Evaluate some of the problems.

        Args:
            thetas (Tensor): (K, R + 1, C) along the principal axes, float64.
            l2 (float): Weight of the squared norms.
            problems (list[int]): Which ones (K,).

        Returns:
            tuple[Tensor, Tensor, Tensor]: Values (K,), gradients
            (K, R + 1, C) along the axes, and weighted means of
            p_c (1 - p_c) (K, C).
        """
        count, _, classes = thetas.shape
        columns, bias = self._columns(thetas)
        numbers = torch.tensor(problems, device=thetas.device)
        by_class = self.weights[numbers]
        # loss, weights; p (1 - p); p - y
        sums = thetas.new_zeros(count, 2 + 2 * classes)
        products = torch.zeros_like(columns, dtype=torch.float64)
        for rows in self._parts():
            x = self._x[rows]
            labels = self.labels[rows]
            weight = by_class[:, labels].t()
            weight = weight * (self.left_out[rows, None] != numbers)
            logits = (x @ columns).double().add_(bias)
            logits = logits.view(-1, count, classes)
            if self._offset is not None:
                logits += self._offset[rows, None]
            logp = logits.log_softmax(2)
            true = labels[:, None, None].expand(-1, count, 1)
            weight = weight[:, :, None]
            loss = -logp.gather(2, true) * weight
            p = logp.exp_()
            spread = 1 - p
            p *= weight
            spread *= p
            p.scatter_add_(2, true, -weight)
            each = [loss, weight, spread, p]
            sums += torch.cat(each, 2).sum(0)
            products += x.t() @ p.flatten(1).to(self.dtype)
        products = products.view(-1, count, classes).permute(1, 0, 2)
        gradient = torch.cat([products, sums[:, None, -classes:]], dim=1)
        size = sums[:, 1]
        gradient /= size[:, None, None]
        if not self._few:
            gradient = self.turn(gradient)
        gradient[:, :-1] += l2 * thetas[:, :-1]
        norms = thetas[:, :-1].square().sum((1, 2))
        values = sums[:, 0] / size + l2 / 2 * norms
        return values, gradient, sums[:, 2 : 2 + classes] / size[:, None]

    def predictions(self, thetas: Tensor) -> Tensor:
        """Most probable class (N,) of each sample, by who left it out.

        ``thetas`` (K, R + 1, C) are those of all problems, along the principal
        axes; of a sample that all see, the last counts.
        """
        columns, bias = self._columns(thetas)
        count, _, classes = thetas.shape
        found = []
        for rows in self._parts():
            x = self._x[rows]
            logits = ((x @ columns).double() + bias).view(-1, count, classes)
            own = torch.arange(len(x), device=x.device), self.left_out[rows]
            found.append(logits[own].argmax(1))
        return torch.cat(found)

    def _columns(self, thetas: Tensor) -> tuple[Tensor, Tensor]:
        if not self._few:
            thetas = self.turn_back(thetas)
        theta = thetas.permute(1, 0, 2).flatten(1)
        return theta[:-1].to(self.dtype), theta[-1]

    def _parts(self) -> list[slice]:
        step = rows_at_a_time(self._x)
        return [
            slice(first, first + step)
            for first in range(0, len(self._x), step)
        ]
