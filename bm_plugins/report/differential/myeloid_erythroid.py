"""The myeloid to erythroid ratio."""

from bm_plugins.evaluation.functional.intervals import wilson


def myeloid_erythroid(
    myeloid: int, erythroid: int
) -> tuple[float | None, float | None, float | None]:
    """The M:E ratio and its 95 % interval.

    The interval is Wilson's of p = M / (M + E), whose ends go through
    p / (1 - p): the ratio rises with p, so that the confidence stays.

    Args:
        myeloid (int): Number M of myeloid cells.
        erythroid (int): Number E of erythroid cells.

    Returns:
        tuple[float or None, ...]: The ratio, the lower and the upper end.
        Without an erythroid cell the ratio and the upper end are None, as
        both have no bound; without any cell the lower end is, too.
    """
    if not myeloid + erythroid:
        return None, None, None
    low, high = wilson(myeloid, myeloid + erythroid)
    if not erythroid:
        return None, float(low / (1 - low)), None
    return (
        myeloid / erythroid,
        float(low / (1 - low)),
        float(high / (1 - high)),
    )
