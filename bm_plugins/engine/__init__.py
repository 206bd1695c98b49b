"""The runner, its hooks and loops."""

from .checkpoint_hook import SafeCheckpointHook
from .class_figures_hook import ClassFiguresHook
from .class_weight_hook import ClassWeightHook
from .knn_loop import KNNLoop
from .lars import SyncFreeLARS
from .linear_probe_loop import LinearProbeLoop
from .optim_wrapper import MixedPrecision
from .preemption_hook import PreemptionHook
from .run_manifest_hook import RunManifestHook
from .runner import MarrowRunner
from .runtime_info_hook import SyncFreeRuntimeInfoHook
from .swav_monitor_hook import SwAVMonitorHook
from .swav_schedule_hook import SwAVScheduleHook
from .train_loop import ResumableTrainLoop
from .unreadable_hook import UnreadableHook

__all__ = [
    'ClassFiguresHook',
    'ClassWeightHook',
    'KNNLoop',
    'LinearProbeLoop',
    'MarrowRunner',
    'MixedPrecision',
    'PreemptionHook',
    'ResumableTrainLoop',
    'RunManifestHook',
    'SafeCheckpointHook',
    'SwAVMonitorHook',
    'SwAVScheduleHook',
    'SyncFreeLARS',
    'SyncFreeRuntimeInfoHook',
    'UnreadableHook',
]
