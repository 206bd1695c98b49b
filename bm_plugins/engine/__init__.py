"""The runner, its hooks and loops."""

from bm_plugins.engine.hooks.checkpoint_hook import SafeCheckpointHook
from bm_plugins.engine.hooks.class_figures_hook import ClassFiguresHook
from bm_plugins.engine.hooks.class_weight_hook import ClassWeightHook
from bm_plugins.engine.hooks.preemption_hook import PreemptionHook
from bm_plugins.engine.hooks.run_manifest_hook import RunManifestHook
from bm_plugins.engine.hooks.runtime_info_hook import SyncFreeRuntimeInfoHook
from bm_plugins.engine.hooks.swav_monitor_hook import SwAVMonitorHook
from bm_plugins.engine.hooks.swav_schedule_hook import SwAVScheduleHook
from bm_plugins.engine.hooks.training_classes_hook import TrainingClassesHook
from bm_plugins.engine.hooks.unreadable_hook import UnreadableHook
from bm_plugins.engine.loops.knn_loop import KNNLoop
from bm_plugins.engine.loops.linear_probe_loop import LinearProbeLoop
from bm_plugins.engine.loops.train_loop import ResumableTrainLoop
from bm_plugins.engine.optimizers.lars import SyncFreeLARS
from bm_plugins.engine.optimizers.mixed_precision import MixedPrecision

from .runner import MarrowRunner

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
    'TrainingClassesHook',
    'UnreadableHook',
]
