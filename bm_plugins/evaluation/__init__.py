"""Scores class by class, and the linear classifier."""

from bm_plugins.utils.lazy import lazy_names

_PLACES = dict(
    PerClassMetric='.metrics.per_class_metric',
    add_score='.functional.known_scores',
)
__all__ = [*_PLACES]
__getattr__, __dir__ = lazy_names(__name__, _PLACES)
