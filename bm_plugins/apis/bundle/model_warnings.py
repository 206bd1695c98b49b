"""What a report must say of its model and images, beside the figures."""

from collections.abc import Mapping

from bm_plugins.datasets.scale import (
    NARROW,
    PART,
    SAME,
    SHAPE,
    SIZE,
    WIDE,
    noted_scale,
)
from bm_plugins.evaluation.functional.intervals import wilson

from .bundle import Bundle

# Fewer training cells than this teach a model hardly anything of a class.
FEW = 10
# Below this share of right classes the figures need a warning.
_GOOD = 0.75
_UNKNOWN = (
    'The bundle does not say the scale of its training images, so whether '
    'these cells show the same field is not known. Publish it anew.'
)
_NOT_COMPARED = (
    'An earlier version made these predictions and did not compare the '
    'images with those of training. --overwrite predicts anew.'
)


def model_warnings(bundle: Bundle) -> list[str]:
    """Sentences on a weak or synthetic model, and on classes hardly known."""
    found = []
    if synthetic := bundle.info.get('synthetic'):
        found.append(str(synthetic))
    held = bundle.validation
    if held.right < _GOOD * len(held.labels):
        found.append(
            f'The model was right in {accuracy_text(bundle)} of its '
            f'{len(held.labels):,} calibration images.'
        )
    counts = bundle.info.get('counts', {})
    few = [code for code in bundle.classes if counts.get(code, [FEW])[0] < FEW]
    if len(few) == len(bundle.classes):
        found.append(
            f'The model has learned from fewer than {FEW} cells of each '
            'class: its classes and percentages mean little.'
        )
    elif few:
        found.append(
            f'The model has learned from fewer than {FEW} cells of '
            f'{", ".join(few)}, and hardly ever suggests them: a low '
            'percentage of them, or an M:E ratio that rests on them, means '
            'little.'
        )
    return found


def accuracy_text(bundle: Bundle) -> str:
    """Accuracy on the calibration images and Wilson's interval, in percent."""
    right, held = bundle.validation.right, len(bundle.validation.labels)
    low, high = 100 * wilson(right, held)
    return f'{100 * right / held:.1f} % [{low:.1f}, {high:.1f}]'


def field_warnings(
    bundle: Bundle,
    fields: Mapping[str | None, int],
    um_per_px: float | str | None = None,
) -> list[str]:
    """Warnings of images that show another field than those of training.

    Args:
        bundle (Bundle): The model.
        fields (Mapping[str | None, int]): Cells of each difference, as
            :func:`bm_plugins.datasets.scale.fit_field` names it; None: of a
            prediction that did not tell.
        um_per_px (float or str, optional): What was said of all images.

    Returns:
        list[str]: Sentences.
    """
    trained = noted_scale(bundle.info)
    total = sum(fields.values())
    if trained is None:
        return [_UNKNOWN] * (um_per_px != SAME)
    if None in fields:
        return [_NOT_COMPARED]
    size = f'{trained.width} x {trained.height} px'
    say = '--um-per-px same (or same in a list, column um_per_px)'
    known = (
        'Otherwise give their µm per pixel by --um-per-px.'
        if trained.um_per_px
        else 'Otherwise crop them to it: the bundle does not know the µm per '
        'pixel of training (tools/publish.py --um-per-px).'
    )
    texts = {
        SIZE: f'are of another size than the training images ({size}) and '
        'of unknown scale. Where they show more or less around the cell, '
        'classes are often wrong, and no less sure. If they show the same '
        f'field, say so by {say}. {known}',
        SHAPE: f'are of another shape than the training images ({size}) and '
        'were stretched to it, which gives cells other forms than in '
        'training. Crop them to that shape'
        + (
            ', or give their µm per pixel by --um-per-px.'
            if trained.um_per_px
            else '.'
        ),
        NARROW: 'show less around the cell than the training images '
        f'({trained}). Their edges were repeated outwards; classes are less '
        'reliable the more is missing. Crop the cells wider.',
        PART: 'were cropped to less than a third of their width or height, '
        f'the field of the training images ({trained}) by their own µm per '
        'pixel. If they show one cell each, that is wrong: give the right '
        'one by --um-per-px, which comes before lists and files.',
    }
    if um_per_px is None:  # nobody has said it here and now
        texts[WIDE] = (
            'show more around the cell than the training images '
            f'({trained}), as the list of cells or the files themselves say, '
            'and were cropped to that field.'
        )
    return [
        f'{fields[field]:,} of {total:,} cells '
        f'({100 * fields[field] / total:.1f} %) {text}'
        for field, text in texts.items()
        if fields.get(field)
    ]
