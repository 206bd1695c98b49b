"""What an offline run of Weights & Biases holds, read without its code."""

import struct

from wandb.proto.wandb_internal_pb2 import Record

BLOCK = 32768
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(file):
    """Records of a .wandb file: LevelDB's log format after 7 bytes.

    https://github.com/google/leveldb/blob/main/doc/log_format.md
    """
    data = file.read_bytes()
    assert data[:4] == b':W&B'
    at, parts = 7, []
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:  # the rest of a block is padding
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack('<IHB', data[at : at + 7])
        parts.append(data[at + 7 : at + 7 + length])
        at += 7 + length
        if kind in (FULL, LAST):
            yield Record.FromString(b''.join(parts))
            parts = []


def history(folder):
    """Logged values, a dict of JSON texts a record."""
    [file] = folder.rglob('*.wandb')
    return [
        {
            (item.key or '.'.join(item.nested_key)): item.value_json
            for item in record.history.item
        }
        for record in records(file)
        if record.WhichOneof('record_type') == 'history'
    ]
