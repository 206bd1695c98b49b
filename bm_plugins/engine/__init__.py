"""The runner, its hooks and loops."""

from .checkpoint_hook import SafeCheckpointHook
from .class_weight_hook import ClassWeightHook
from .knn_loop import KNNLoop
from .linear_probe_loop import LinearProbeLoop
from .preemption_hook import PreemptionHook
from .runner import MarrowRunner
from .swav_monitor_hook import SwAVMonitorHook
from .swav_schedule_hook import SwAVScheduleHook
from .train_loop import ResumableTrainLoop
from .unreadable_hook import UnreadableHook

__all__ = [
    'ClassWeightHook',
    'KNNLoop',
    'LinearProbeLoop',
    'MarrowRunner',
    'PreemptionHook',
    'ResumableTrainLoop',
    'SafeCheckpointHook',
    'SwAVMonitorHook',
    'SwAVScheduleHook',
    'UnreadableHook',
]
