"""The runner, its hooks and loops."""

from .linear_probe_loop import LinearProbeLoop
from .runner import MarrowRunner
from .swav_schedule_hook import SwAVScheduleHook

__all__ = ['LinearProbeLoop', 'MarrowRunner', 'SwAVScheduleHook']
