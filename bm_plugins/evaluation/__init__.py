"""Scores class by class, and the linear classifier."""

from .per_class_metric import PerClassMetric

__all__ = ['PerClassMetric']
