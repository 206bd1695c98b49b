"""What a report must say of its model, beside the figures."""

from ..evaluation.intervals import wilson
from .bundle import Bundle

# Fewer training cells than this teach a model hardly anything of a class.
FEW = 10
# Below this share of right classes the figures need a warning.
_GOOD = 0.75


def model_warnings(bundle: Bundle) -> list[str]:
    """Warnings of a weak or a synthetic model, and of classes it hardly knows.

    Args:
        bundle (Bundle): The model.

    Returns:
        list[str]: Sentences.
    """
    found = []
    if synthetic := bundle.info.get('synthetic'):
        found.append(str(synthetic))
    labels = bundle.validation.labels
    held = len(labels)
    right = int((bundle.validation.logits.argmax(1) == labels).sum())
    if right < _GOOD * held:
        low, high = 100 * wilson(right, held)
        found.append(
            f'The model was right in {100 * right / held:.1f} % '
            f'[{low:.1f}, {high:.1f}] of its {held:,} calibration images. The '
            'intervals below do not tell of its errors.'
        )
    counts = bundle.info.get('counts', {})
    few = [code for code in bundle.classes if counts.get(code, [FEW])[0] < FEW]
    if few:
        found.append(
            f'The model has learned from fewer than {FEW} cells of '
            f'{", ".join(few)}, and hardly ever suggests them: a low '
            'percentage of them, or an M:E ratio that rests on them, means '
            'little.'
        )
    return found
