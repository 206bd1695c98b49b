"""Scores class by class, and the linear classifier."""

from bm_plugins.evaluation.metrics.per_class_metric import PerClassMetric

__all__ = ['PerClassMetric']
