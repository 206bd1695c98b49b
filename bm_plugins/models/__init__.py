"""Losses and the mathematics under them."""

from .swav_loss import GlobalSwAVLoss

__all__ = ['GlobalSwAVLoss']
