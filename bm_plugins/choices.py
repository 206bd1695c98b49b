"""What both a command's help and the code behind it name."""

PARTS = ('train', 'val', 'test')
# Where the calibration's images come from.
CALIBRATION = ('val', 'test')
# What a pack keeps of an image: its file as it is, or its pixels.
PACK_KINDS = ('jpeg', 'decoded')
