"""Shares of the classes on a slide whose mixture is its own."""

import numpy as np
from scipy.special import stdtrit

# Fewer calibration images tell too little of how a class is taken.
MIN_SUPPORT = 5
# Largest step of a share at which to stop; rounds at the most.
_STOP, _ROUNDS = 1e-8, 2000
# How far the likeliest shares may be wrong where the calibration images
# cannot tell: as much as the share and 5 points more; in the interval up to
# 10 more of a class that the model misses.
_WRONG, _WRONG_IF_MISSED = 0.05, 0.1
# Power of the shares in the classes' weights, between the model's own (0) and
# those of the slide (1): with 1, what tells rare classes apart is lost.
_POWER = 0.3
# Images by which a class's spread is drawn to that of labels alone.
_PRIOR_IMAGES = 3
# Images of the model's own opinion on a class that has fewer than 3.
_OPINION = 2
# Images of each class as any other that none may have shown.
_UNSEEN = 0.06
_STEPS, _HALVINGS = 25, 20


def likeliest_shares(scores: np.ndarray) -> np.ndarray:
    """The shares of the classes that make a slide's cells likeliest.

    Saerens, Latinne and Decaestecker 2002 (Neural Comput. 14:21-41), equation
    2.9, by EM: cells' probabilities at the present shares give the next ones.
    Two steps are drawn out to a long one where that is likelier (SQUAREM,
    scheme S3 of Varadhan and Roland 2008, Scand. J. Stat. 35:335-353).

    Args:
        scores (np.ndarray): Probabilities (N, C) of the cells if all classes
            were equally frequent, calibrated.

    Returns:
        np.ndarray: Shares (C,), with the sum 1.
    """
    shares = np.full(scores.shape[1], 1 / scores.shape[1])
    for _ in range(_ROUNDS):
        one = at_shares(scores, shares).mean(0)
        two = at_shares(scores, one).mean(0)
        step, bend = one - shares, two - 2 * one + shares
        if np.abs(step).max() < _STOP:
            return two
        norms = (np.linalg.norm(x) for x in (step, bend))
        length = np.clip(next(norms) / max(next(norms), 1e-300), 1, 1e6)
        far = shares + 2 * length * step + length**2 * bend
        far = np.maximum(far, 0.1 * two)
        far /= far.sum()
        better = np.log(scores @ far).sum() >= np.log(scores @ two).sum()
        shares = at_shares(scores, far if better else two).mean(0)
    return shares


def at_shares(scores: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Probabilities (N, C) where the classes have other shares.

    Bayes' rule; Saerens et al. 2002, equation 2.4.

    Args:
        scores (np.ndarray): Probabilities (N, C) at equal shares.
        shares (np.ndarray): Shares (C,), or any multiple of them.
    """
    found = scores * shares
    return found / found.sum(1, keepdims=True)


def at_equal_shares(scores: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Probabilities (N, C) if all classes were equally frequent.

    Args:
        scores (np.ndarray): Probabilities (N, C), also as files round them.
        prior (np.ndarray): Shares (C,) of the classes that they are of; 0 of
            a class that the classifier does not know.
    """
    known = prior > 0
    inverse = np.divide(1, prior, out=np.zeros(len(prior)), where=known)
    return at_shares(np.maximum(scores, 2.5e-7), inverse)


class SlideShares:
    """Estimates of shares that allow for the classifier's errors.

    The likeliest shares p0 are right if the probabilities are. How cells of
    class i are really taken is measured on calibration images: the mean m_i
    of their probabilities f at weights between equal shares and p0. A
    functional h'p of the true shares is then estimated by h'p0 + u'(mean of f
    on the slide - sum_i p0_i m_i), where u makes the variance and the square
    of the bias least, sum_i tau_i^2 (m_i'u - h_i)^2 with tau_i the most by
    which p0_i may be wrong: a ridge regression, between the likeliest shares
    and the matrix inversion of adjusted counts (Gart and Buck 1966, Am. J.
    Epidemiol. 83:593-602; Bella et al. 2010, "Quantification via probability
    estimators"), which is unbiased and has no use for classes that look
    alike. Shares below 0 are not cut off within it, which would draw a
    dominant class down.

    The interval of a share inverts the test of each value t of it, as Wilson
    1927 does for a plain proportion: its variance is that of t, of the cells
    drawn and of the calibration images, plus the bias that tau allows (more
    of a class that the model misses); with Student's quantile of as many
    degrees of freedom as the calibration images leave (Satterthwaite 1946).
    ``docs/differential.md`` has its coverage.

    Args:
        scores (np.ndarray): Probabilities (N, C) of the slide's cells at
            equal shares of the classes, N of 1 or more.
        known (np.ndarray): The same (V, C) of calibration images.
        labels (np.ndarray): Their classes (V,).

    Attributes:
        likeliest (np.ndarray): Shares (C,) by :func:`likeliest_shares`.
        measured (np.ndarray): Classes (C,), bool, of which calibration tells
            enough for an interval: ``MIN_SUPPORT`` images or more, one of
            them recognised. The others take part with what the model's own
            probabilities say of them.
    """

    def __init__(
        self, scores: np.ndarray, known: np.ndarray, labels: np.ndarray
    ) -> None:
        cells, number = scores.shape
        self.likeliest = p0 = likeliest_shares(scores)
        support = np.bincount(labels, minlength=number)
        right = known.argmax(1) == labels
        hits = np.bincount(labels[right], minlength=number)
        self.measured = (support >= MIN_SUPPORT) & (hits > 0)
        missed = (support - hits + 1) / (support + 2)
        self._cells, self._images = cells, np.maximum(support, 1)
        soft = (cells * p0 + 0.5) / (cells + number / 2)
        slide, images = (
            at_shares(rows, soft**_POWER) for rows in (scores, known)
        )
        # By their probabilities, the cells and the images of all classes tell
        # of each class.
        weights = np.concatenate(
            [at_shares(scores, p0), known / support[labels][:, None]]
        )
        opinion = weights.T @ np.concatenate([slide, images])
        means = _class_means(images, labels, support, opinion)
        self._spread = _class_spreads(images, labels, means, support)
        variance = self._variance_of_means(soft, means)
        # The probabilities sum to 1, so that one direction has no variance.
        variance += np.eye(number) * 1e-3 * np.trace(variance) / number
        tau = p0 + _WRONG
        self._tau = tau + _WRONG_IF_MISSED * missed**2
        weighted = means.T * tau**2
        self._u = np.linalg.solve(variance + weighted @ means, weighted)
        self._response = means @ self._u  # (C, C): of class i, for share k
        self._estimates = p0 + (slide.mean(0) - p0 @ means) @ self._u

    def interval(
        self, part: np.ndarray, whole: np.ndarray, level: float = 0.95
    ) -> tuple[float, float]:
        """Interval of the share of some classes among others.

        Args:
            part (np.ndarray): Classes (C,), bool, within ``whole``.
            whole (np.ndarray): Classes (C,), bool.
            level (float): Confidence. Defaults to 0.95.

        Returns:
            tuple[float, float]: Its ends, within 0 and 1.
        """
        part, whole = np.asarray(part, bool), np.asarray(whole, bool)
        found = np.maximum(self._estimates, 0) + 0.5 / self._cells
        total = found[whole].sum()
        # Beyond 0 and 1, noise must not put every share outside.
        center = max(self._estimates[whole].sum(), 0.5 / self._cells)
        middle = min(max(self._estimates[part].sum() / center, 0), 1)
        pair = np.stack([part, whole], 1)
        u = self._u @ pair
        spreads = np.einsum('jp,ijk,kq->ipq', u, self._spread, u)

        def inside(share: float) -> bool:
            shares = found.copy()
            for side, wanted in ((part, share), (whole & ~part, 1 - share)):
                if side.any():
                    shares[side] *= wanted * total / found[side].sum()
            shares /= shares.sum()
            mix = np.array([1, -share])
            functional = pair @ mix
            variance, freedom = self._variance(
                functional, mix @ spreads @ mix, shares
            )
            z = stdtrit(freedom, (1 + level) / 2)
            # Half a cell, as counts are whole.
            away = center * abs(middle - share) - 0.5 / self._cells
            return away <= z * np.sqrt(variance)

        return tuple(_last_inside(inside, middle, end) for end in (0.0, 1.0))

    def shares(
        self, among: np.ndarray, ends: np.ndarray | None = None
    ) -> np.ndarray:
        """The estimated shares, none below 0 and each within its interval.

        Those nearest to the estimates that are so and have the sum 1.

        Args:
            among (np.ndarray): Classes (C,), bool, whose shares sum to 1.
            ends (np.ndarray): Lower and upper ends (C, 2) of these shares;
                NaN for none. Defaults to none.

        Returns:
            np.ndarray: Shares (C,); 0 outside ``among``.
        """
        low, high = np.where(among, [[0.0], [1.0]], 0.0)
        if ends is not None:
            low = np.fmax(low, np.where(among, ends[:, 0], 0))
            high = np.fmin(high, np.where(among, ends[:, 1], 0))
        total = max(self._estimates[among].sum(), 0.5 / self._cells)
        return _clipped_sum(self._estimates / total, low, high)

    def _variance_of_means(
        self, shares: np.ndarray, means: np.ndarray
    ) -> np.ndarray:
        """Of the slide's mean and its prediction, (C, C)."""
        mean = shares @ means
        between = (means.T * shares) @ means - np.outer(mean, mean)
        within = np.tensordot(shares, self._spread, 1)
        images = np.tensordot(shares**2 / self._images, self._spread, 1)
        return (within + between) / self._cells + images

    def _variance(
        self, functional: np.ndarray, spread: np.ndarray, shares: np.ndarray
    ) -> tuple[float, float]:
        """Of a functional's estimate at true shares; degrees of freedom.

        ``spread`` (C,) is the variance of its score within each class.
        """
        response = self._response @ functional
        mean = shares @ response
        chance = shares @ (spread + response**2) - mean**2
        images = shares**2 * spread / self._images
        bias = (self._tau * (response - functional)) ** 2
        total = chance / self._cells + images.sum() + bias.sum()
        freedom = self._images - 1 + _PRIOR_IMAGES
        most = (images**2 / freedom).sum()
        return total, min(max(total**2 / max(most, 1e-300), 2), 1e6)


def _class_means(
    images: np.ndarray,
    labels: np.ndarray,
    support: np.ndarray,
    opinion: np.ndarray,
) -> np.ndarray:
    """Mean (C, C) of the images of each class; of few, with an opinion."""
    number = len(support)
    sums = np.zeros((number, number))
    np.add.at(sums, labels, images)
    opinion = opinion + 1e-9 * np.eye(number)
    opinion /= opinion.sum(1, keepdims=True)
    more = np.where(support < 3, _OPINION, 0)
    return (sums + more[:, None] * opinion) / (support + more)[:, None]


def _class_spreads(
    images: np.ndarray,
    labels: np.ndarray,
    means: np.ndarray,
    support: np.ndarray,
) -> np.ndarray:
    """Covariance (C, C, C) within each class, of few images held up.

    That of labels drawn by the class's mean, with one image shared by all
    classes, times the mean ratio of the two, counts as ``_PRIOR_IMAGES``.
    """
    number = len(support)
    away = images - means[labels]
    squares = np.zeros((number, number, number))
    for i in range(number):
        own = away[labels == i]
        squares[i] = own.T @ own
    smooth = (means * support[:, None] + 1 / number) / (support[:, None] + 1)
    drawn = smooth[:, None] * (np.eye(number) - smooth[:, :, None])
    free = np.maximum(support - 1, 0)
    trace = np.trace(squares, axis1=1, axis2=2)
    ratio = trace.sum() / max(free @ np.trace(drawn, axis1=1, axis2=2), 1e-9)
    ratio = min(ratio, 1)
    held = (_PRIOR_IMAGES * ratio * drawn + squares) / (_PRIOR_IMAGES + free)[
        :, None, None
    ]
    unseen = _UNSEEN * ratio / (support + 1)
    return held + unseen[:, None, None] * (np.eye(number) - 1 / number)


def _clipped_sum(
    values: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """What differs from the values least and has the sum 1 within bounds."""
    reach = np.abs(values).max() + 1
    down, up = -reach, reach
    for _ in range(50):
        middle = (down + up) / 2
        if np.clip(values + middle, low, high).sum() > 1:
            up = middle
        else:
            down = middle
    return np.clip(values + up, low, high)


def _last_inside(inside, start: float, end: float) -> float:
    """Where what is inside, and holds ``start``, ends on the way to ``end``.

    Beyond it values may be inside again: of few images next to nothing is
    known if the class were all there is.
    """
    for value in np.linspace(start, end, _STEPS + 1)[1:]:
        if not inside(value):
            end = value
            break
        start = value
    else:
        return end
    for _ in range(_HALVINGS):
        middle = (start + end) / 2
        if inside(middle):
            start = middle
        else:
            end = middle
    return start
