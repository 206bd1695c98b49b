#!/usr/bin/env bash
# timm's Eva and Beit attention with fused qkv and biases never calls its Linear
# qkv: it hands qkv.weight and the biases to F.linear. A LoRA that peft lays on
# qkv is then passed by, though peft counts it as trainable:
# - with target_modules=['qkv'] the output requires no gradient;
# - beside another target (fc1) training goes through, and qkv's LoRA stays as it
#   was. From the default start, which adds zero, merging adds zero too: qkv has
#   only not been trained;
# - from a start that is not zero (pissa, which takes out of the weights what it
#   puts into the LoRA) the output changes as soon as the LoRA is laid, and
#   merge_and_unload() gives another model than the one trained.
# A model without these biases (vit_small_patch16_dinov3) is not affected, nor is
# one whose attn.qkv_bias_separate is set: timm then calls qkv.
# Seen with timm 1.0.31, peft 0.21.2, torch 2.13.0, of one random block each:
#   vit_small_patch16_dinov3_qkvb
#     qkv alone: 12288 trainable, output requires a gradient: False
#     from True: output kept: True, learned: fc1, merged as trained: True
#     from pissa: output kept: False, learned: fc1, merged as trained: False
#   beit_base_patch16_224
#     qkv alone: 24576 trainable, output requires a gradient: False
#     from True: output kept: True, learned: fc1, merged as trained: True
#     from pissa: output kept: False, learned: fc1, merged as trained: False
#   vit_small_patch16_dinov3_qkvb, qkv_bias_separate
#     qkv alone: 12288 trainable, output requires a gradient: True
#     from True: output kept: True, learned: fc1 qkv, merged as trained: True
#     from pissa: output kept: True, learned: fc1 qkv, merged as trained: True
#   vit_small_patch16_dinov3
#     qkv alone: 12288 trainable, output requires a gradient: True
#     from True: output kept: True, learned: fc1 qkv, merged as trained: True
#     from pissa: output kept: True, learned: fc1 qkv, merged as trained: True
# Fails where that has changed. Installs 1.3 GB (several more where pip serves a
# torch with CUDA); runs on the CPU.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir timm==1.0.31 peft==0.21.2 \
    transformers==5.24.0 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON' | tee "$folder/seen"
import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:  # one for CUDA beside a torch for the CPU, as pip may pair
    # What it misses to be imported, which timm does; nothing here calls them.
    operators = torch.library.Library('torchvision', 'FRAGMENT')
    for name in ('nms', 'qnms'):
        operators.define(f'{name}(Tensor a, Tensor b, float c) -> Tensor')
import timm
from peft import LoraConfig, get_peft_model

images = torch.rand(2, 3, 224, 224, generator=torch.manual_seed(0))


def adapted(name, separate, targets, start=True):
    torch.manual_seed(0)
    model = timm.create_model(name, depth=1, num_classes=0, init_values=1).eval()
    model.blocks[0].attn.qkv_bias_separate = separate
    with torch.no_grad():
        output = model(images)
    config = LoraConfig(target_modules=targets, init_lora_weights=start)
    return output, get_peft_model(model, config).eval()


def same(one, other):
    return torch.allclose(one, other, atol=1e-4)


for name, separate in (
    ('vit_small_patch16_dinov3_qkvb', False),
    ('beit_base_patch16_224', False),
    ('vit_small_patch16_dinov3_qkvb', True),
    ('vit_small_patch16_dinov3', False),
):
    print(name + (', qkv_bias_separate' if separate else ''))
    _, model = adapted(name, separate, ['qkv'])
    count = model.get_nb_trainable_parameters()[0]
    needs = model(images).requires_grad
    print(f'  qkv alone: {count} trainable, output requires a gradient: {needs}')
    for start in (True, 'pissa'):
        output, model = adapted(name, separate, ['qkv', 'fc1'], start)
        kept = same(model(images), output)
        loras = {n: p for n, p in model.named_parameters() if p.requires_grad}
        first = {n: p.detach().clone() for n, p in loras.items()}
        optimizer = torch.optim.AdamW(loras.values(), lr=1e-2)
        for _ in range(3):
            optimizer.zero_grad()
            model(images)[:, 0].sum().backward()
            optimizer.step()
        moved = [n for n, p in loras.items() if not p.equal(first[n])]
        # ....attn.qkv.lora_A.default.weight
        learned = ' '.join(sorted({n.split('.')[-4] for n in moved}))
        with torch.no_grad():
            trained = model(images)
            merged = same(model.merge_and_unload()(images), trained)
        print(
            f'  from {start}: output kept: {kept}, learned: {learned}, '
            f'merged as trained: {merged}'
        )
PYTHON
diff "$folder/seen" - <<'SEEN'
vit_small_patch16_dinov3_qkvb
  qkv alone: 12288 trainable, output requires a gradient: False
  from True: output kept: True, learned: fc1, merged as trained: True
  from pissa: output kept: False, learned: fc1, merged as trained: False
beit_base_patch16_224
  qkv alone: 24576 trainable, output requires a gradient: False
  from True: output kept: True, learned: fc1, merged as trained: True
  from pissa: output kept: False, learned: fc1, merged as trained: False
vit_small_patch16_dinov3_qkvb, qkv_bias_separate
  qkv alone: 12288 trainable, output requires a gradient: True
  from True: output kept: True, learned: fc1 qkv, merged as trained: True
  from pissa: output kept: True, learned: fc1 qkv, merged as trained: True
vit_small_patch16_dinov3
  qkv alone: 12288 trainable, output requires a gradient: True
  from True: output kept: True, learned: fc1 qkv, merged as trained: True
  from pissa: output kept: True, learned: fc1 qkv, merged as trained: True
SEEN
