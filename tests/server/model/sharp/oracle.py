"""The SHARP network, written down a second time: plainly, from its specification alone.

    image --> tiles --> ViT -+--> merged maps e0..e4 --> decoder --> disparity head --> depth
                             |                      \\                                  |
    image --> x0.25 --> ViT -+                        decoder ---> heads <--- initializer
                                                                    |            |
    metric Gaussians <---- unprojection <---- composer <--------- deltas -----> base

It is the oracle that ``sharp_xr.model.sharp`` is held to, and the yardstick of its speed
(``scripts/bench network``), so it takes no short cut: each stage is one call of torch on
NCHW tensors, in the state's own dtype (float64 makes it a reference), batch 1.
Numbers in brackets name the sections of the specification. Sizes are read off the tensors; tensors
that inference does not use may be missing.

Shapes: S is the side of the network's image (1536), g a tile's side in tokens (24), H = S/2 the
side of the grid of Gaussians, N = 2 H H of them: visible layer first, then row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

State = Mapping[str, Tensor]
"""The checkpoint: names as in the released one."""

ENCODER = "monodepth_model.monodepth_predictor.encoder"
DEPTH_DECODER = "monodepth_model.monodepth_predictor.decoder"
DISPARITY_HEAD = "monodepth_model.monodepth_predictor.head"


@dataclass(frozen=True)
class Prediction:
    """N Gaussians in the photo camera's axes (OpenCV), metric."""

    means: Tensor
    """[N, 3] metres."""
    covariances: Tensor
    """[N, 3, 3] square metres."""
    colors: Tensor
    """[N, 3] linear RGB."""
    opacities: Tensor
    """[N] 0 to 1."""


def nothing(stage: str) -> None:
    """Nobody wants to know which stage is done."""


@torch.no_grad()
def predict(
    image: NDArray[np.uint8],
    disparity_factor: float,
    state: State,
    heads: int | None = None,
    hooks: tuple[int, int] | None = None,
    done: Callable[[str], None] = nothing,
) -> Prediction:
    """The whole network.

    Args:
        image: [height, width, 3] sRGB.
        disparity_factor: focal length over width, both in pixels of ``image``.
        state: the checkpoint; its dtype is what is computed in.
        heads: of the attention; by default one for each 64 channels, at least one.
        hooks: the two blocks whose output is used; by default those that end the first quarter
            and the first half.
        done: told each stage's name when it is finished.
    """
    height, width, _ = image.shape
    x = preprocess(image, state)
    features = encode(x, state, heads, hooks, done)
    f = decode(features, state, DEPTH_DECODER)
    done("depth decoder")
    depth = disparity_factor / disparity(f, state).clamp(1e-4, 1e4)
    done("disparity head")
    depth, global_scale = normalise(depth)
    f = decode(features, state, "feature_model.decoder")
    done("gaussian decoder")
    del features
    deltas = predict_deltas(f, x, depth, state)
    del f
    done("gaussian heads")
    gaussians = unproject(compose(deltas, x, depth, global_scale), disparity_factor, height / width)
    done("composer")
    return gaussians


# --- 1, 2: image and encoder ---------------------------------------------------------------------


def preprocess(image: NDArray[np.uint8], state: State) -> Tensor:
    """[height, width, 3] -> [1, 3, S, S], 0 to 1 (1.4); S is four tiles.

    Always in float32: where a float64 rounds its sampling positions less, a photo of 4000 pixels
    differs by 2e-4 at sharp edges, and the specification's image is the float32 one.
    """
    patch_encoder = f"{ENCODER}.patch_encoder"
    dtype = state[f"{patch_encoder}.cls_token"].dtype
    patch = state[f"{patch_encoder}.patch_embed.proj.weight"].shape[-1]
    side = 4 * patch * grid_side(state, patch_encoder)
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    return F.interpolate(x, (side, side), mode="bilinear", align_corners=True).to(dtype)


def encode(
    x: Tensor,
    state: State,
    heads: int | None,
    hooks: tuple[int, int] | None,
    done: Callable[[str], None] = nothing,
) -> list[Tensor]:
    """[1, 3, S, S] -> the maps e0 to e4, fine to coarse, of sides S/2, S/4, .. S/32 (2)."""
    x0 = 2 * x - 1
    x1 = F.interpolate(x0, scale_factor=0.5, mode="bilinear", align_corners=False)
    x2 = F.interpolate(x0, scale_factor=0.25, mode="bilinear", align_corners=False)
    tiles = torch.cat([*cut(x0, 5), *cut(x1, 3), x2])  # [35, 3, S/4, S/4]
    block5, block11, final = vit(tiles, state, f"{ENCODER}.patch_encoder", heads, hooks)
    done("patch encoder")
    _, _, lowres = vit(x2, state, f"{ENCODER}.image_encoder", heads, hooks)
    done("image encoder")
    maps = project(merge(block5[:25], 5), merge(block11[:25], 5), final, lowres, state)
    done("upsampling")
    return maps


def cut(x: Tensor, count: int) -> list[Tensor]:
    """count x count overlapping tiles, row by row, that reach from border to border (2.2)."""
    side = {5: x.shape[-1] // 4, 3: x.shape[-1] // 2}[count]
    stride = (x.shape[-1] - side) // (count - 1)
    starts = [i * stride for i in range(count)]
    return [x[:, :, top : top + side, left : left + side] for top in starts for left in starts]


def vit(
    x: Tensor, state: State, name: str, heads: int | None, hooks: tuple[int, int] | None
) -> tuple[Tensor, Tensor, Tensor]:
    """[T, 3, S/4, S/4] -> outputs of the two hooked blocks, and the normed last one, [T, C, g, g]
    each (2.1)."""
    weight = state[f"{name}.patch_embed.proj.weight"]
    x = F.conv2d(x, weight, state[f"{name}.patch_embed.proj.bias"], stride=weight.shape[-1])
    x = x.flatten(2).transpose(1, 2)  # [T, g g, C]
    x = torch.cat([state[f"{name}.cls_token"].expand(len(x), -1, -1), x], 1)
    x = x + state[f"{name}.pos_embed"]
    depth = sum(key.startswith(f"{name}.blocks.") and key.endswith("ls1.gamma") for key in state)
    first, second = hooks or (depth // 4 - 1, depth // 2 - 1)
    outputs = {}
    for i in range(depth):
        x = block(x, state, f"{name}.blocks.{i}", heads or max(1, x.shape[-1] // 64))
        if i in (first, second):
            outputs[i] = to_map(x, state, name)
    return outputs[first], outputs[second], to_map(norm(x, state, f"{name}.norm"), state, name)


def block(x: Tensor, state: State, name: str, heads: int) -> Tensor:
    """One pre-norm block of attention and MLP, [T, tokens, C]."""
    y = attention(norm(x, state, f"{name}.norm1"), state, f"{name}.attn", heads)
    x = x + state[f"{name}.ls1.gamma"] * y
    y = linear(norm(x, state, f"{name}.norm2"), state, f"{name}.mlp.fc1")
    y = linear(F.gelu(y), state, f"{name}.mlp.fc2")
    return x + state[f"{name}.ls2.gamma"] * y


def attention(x: Tensor, state: State, name: str, heads: int) -> Tensor:
    """Softmax attention of all tokens to all tokens, [T, tokens, C]."""
    q, k, v = (
        part.reshape(*part.shape[:2], heads, -1).transpose(1, 2)  # [T, heads, tokens, C / heads]
        for part in linear(x, state, f"{name}.qkv").chunk(3, 2)
    )
    y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    return linear(y, state, f"{name}.proj")


def linear(x: Tensor, state: State, name: str) -> Tensor:
    return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def norm(x: Tensor, state: State, name: str) -> Tensor:
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return F.layer_norm(x, weight.shape, weight, bias, eps=1e-6)


def grid_side(state: State, name: str) -> int:
    """How many tokens stand along a tile's side, g."""
    return int((state[f"{name}.pos_embed"].shape[1] - 1) ** 0.5)


def to_map(tokens: Tensor, state: State, name: str) -> Tensor:
    """[T, 1 + g g, C] -> [T, C, g, g]; the class token, which is the first, is dropped."""
    side = grid_side(state, name)
    return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, side, side)


def merge(tiles: Tensor, count: int) -> Tensor:
    """[count count, C, g, g] -> [1, C, n, n]: overlaps are cut in their middle (2.4)."""
    side = tiles.shape[-1]
    pad = {5: side // 8, 3: side // 4}[count]
    kept = [slice(pad if i > 0 else 0, side - pad if i < count - 1 else side) for i in range(count)]
    rows = [
        torch.cat([tiles[i * count + j][:, kept[i], kept[j]] for j in range(count)], 2)
        for i in range(count)
    ]
    return torch.cat(rows, 1)[None]


def project(
    block5: Tensor, block11: Tensor, final: Tensor, lowres: Tensor, state: State
) -> list[Tensor]:
    """Token maps -> e0 to e4 (2.5)."""
    e0 = upsample(block5, state, "upsample_latent0")
    e1 = upsample(block11, state, "upsample_latent1")
    e2 = upsample(merge(final[:25], 5), state, "upsample0")
    e3 = upsample(merge(final[25:34], 3), state, "upsample1")
    g2 = upsample(final[34:], state, "upsample2")
    gl = deconv(lowres, state, f"{ENCODER}.upsample_lowres")
    return [e0, e1, e2, e3, conv(torch.cat([g2, gl], 1), state, f"{ENCODER}.fuse_lowres")]


def upsample(x: Tensor, state: State, name: str) -> Tensor:
    """A 1 x 1 convolution, then as many doublings as there are weights."""
    x = conv(x, state, f"{ENCODER}.{name}.0")
    i = 1
    while f"{ENCODER}.{name}.{i}.weight" in state:
        x = deconv(x, state, f"{ENCODER}.{name}.{i}")
        i += 1
    return x


# --- 3: decoders and depth -----------------------------------------------------------------------


def conv(x: Tensor, state: State, name: str, stride: int = 1) -> Tensor:
    weight = state[f"{name}.weight"]
    bias = state.get(f"{name}.bias")
    return F.conv2d(x, weight, bias, stride, padding=(weight.shape[-1] - 1) // 2)


def deconv(x: Tensor, state: State, name: str) -> Tensor:
    """Doubles the side."""
    return F.conv_transpose2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), stride=2)


def residual(x: Tensor, state: State, name: str) -> Tensor:
    y = conv(F.relu(x), state, f"{name}.residual.1")
    return x + conv(F.relu(y), state, f"{name}.residual.3")


def fuse(x: Tensor, skip: Tensor | None, state: State, name: str) -> Tensor:
    """The fusion block (3.1)."""
    if skip is not None:
        x = x + residual(skip, state, f"{name}.resnet1")
    x = residual(x, state, f"{name}.resnet2")
    if f"{name}.deconv.weight" in state:
        x = deconv(x, state, f"{name}.deconv")
    return conv(x, state, f"{name}.out_conv")


def decode(maps: list[Tensor], state: State, name: str) -> Tensor:
    """e0 to e4 -> [1, width, H, H] (3.2)."""
    f = fuse(conv(maps[4], state, f"{name}.convs.4"), None, state, f"{name}.fusions.4")
    for i in (3, 2, 1, 0):
        skip = maps[i]
        if f"{name}.convs.{i}.weight" in state:
            skip = conv(skip, state, f"{name}.convs.{i}")
        f = fuse(f, skip, state, f"{name}.fusions.{i}")
    return f


def disparity(f: Tensor, state: State) -> Tensor:
    """[1, width, H, H] -> [1, 2, S, S], at least 0; visible and second layer (3.3)."""
    f = conv(f, state, f"{DISPARITY_HEAD}.0")
    f = deconv(f, state, f"{DISPARITY_HEAD}.1")
    f = F.relu(conv(f, state, f"{DISPARITY_HEAD}.2"))
    return F.relu(conv(f, state, f"{DISPARITY_HEAD}.4"))


def normalise(depth: Tensor) -> tuple[Tensor, Tensor]:
    """Metres -> about 1 to 100, and the metres of one such unit (4)."""
    global_scale = depth.min() + 1e-6
    return (depth / global_scale).clamp(max=100), global_scale


# --- 4 to 6: Gaussian decoder and prediction head ------------------------------------------------


def predict_deltas(f: Tensor, x: Tensor, depth: Tensor, state: State) -> Tensor:
    """What is to be changed in the base Gaussians.

    Args:
        f: [1, width, H, H] of the Gaussian decoder.
        x: [1, 3, S, S] the image, 0 to 1.
        depth: [1, 2, S, S] normalised.
        state: the checkpoint.

    Returns:
        [14, 2, H, H]: x, y, 1/z, 3 scales, 4 of the quaternion, 3 of the colour, opacity; layers.
    """
    look = 2 * torch.cat([x, 1 / depth], 1) - 1  # [1, 5, S, S]
    skip = conv(look, state, "feature_model.image_encoder.conv", stride=2)
    f = fuse(f, skip, state, "feature_model.fusion")
    geometry = head(f, state, "feature_model.geometry_head")
    geometry = conv(geometry, state, "prediction_head.geometry_prediction_head")  # [1, 6, H, H]
    texture = head(f, state, "feature_model.texture_head")
    texture = conv(texture, state, "prediction_head.texture_prediction_head")  # [1, 22, H, H]
    # A channel is attribute * 2 + layer (6).
    return torch.cat([geometry, texture], 1).reshape(14, 2, *f.shape[2:])


def head(f: Tensor, state: State, name: str) -> Tensor:
    """[1, width, H, H] -> [1, features, H, H] (5.4)."""
    for i in (0, 1):
        y = F.relu(group_norm(f, state, f"{name}.{i}.residual.0"))
        y = conv(y, state, f"{name}.{i}.residual.2")
        y = F.relu(group_norm(y, state, f"{name}.{i}.residual.3"))
        f = f + conv(y, state, f"{name}.{i}.residual.5")
    return F.relu(conv(F.relu(f), state, f"{name}.3"))


def group_norm(x: Tensor, state: State, name: str) -> Tensor:
    return F.group_norm(x, 8, state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-5)


# --- 7 to 9: composer and unprojection -----------------------------------------------------------


def compose(deltas: Tensor, x: Tensor, depth: Tensor, global_scale: Tensor) -> Prediction:
    """Deltas [14, 2, H, H] on the base Gaussians of the image and the normalised depth.

    The result's x and y are not metres yet but the image's, from -1 to 1, times metres of depth.
    """
    image_side = x.shape[-1]
    q = F.max_pool2d(1 / depth, 2)[0]  # [2, H, H]
    centres = (2 * (2 * torch.arange(q.shape[-1]).to(x) + 1) / image_side) - 1
    softplus_inverse = q.clamp(min=1e-6) + torch.log(-torch.expm1(-q.clamp(min=1e-6)))
    z = 1 / (F.softplus(softplus_inverse + 1e-3 * deltas[2]) + 1e-3)
    ndc_x = centres + 1e-3 * deltas[0]
    ndc_y = centres[:, None] + 1e-3 * deltas[1]
    means = torch.stack([z * ndc_x, z * ndc_y, z]) * global_scale  # [3, 2, H, H]

    base_scales = (2 * 2 / image_side) / q * q * z
    low = torch.logit(torch.tensor(0.1).to(x))
    scales = base_scales * 10 * torch.sigmoid(10 / 9 * deltas[3:6] + low) * global_scale
    unit = torch.tensor([1.0, 0.0, 0.0, 0.0]).to(x)
    rotations = rotation(unit + flat(deltas[6:10]))  # [N, 3, 3]
    covariances = rotations @ torch.diag_embed(flat(scales) ** 2) @ rotations.transpose(1, 2)

    base_colors = F.avg_pool2d(x, 2)[0][:, None].clamp(0.01, 0.99)  # [3, 1, H, H]
    colors = linear_light(torch.sigmoid(torch.logit(base_colors) + 0.1 * deltas[10:13]))
    return Prediction(flat(means), covariances, flat(colors), torch.sigmoid(deltas[13]).flatten())


def flat(x: Tensor) -> Tensor:
    """[channels, 2, H, H] -> [N, channels]."""
    return x.flatten(1).transpose(0, 1)


def rotation(quaternions: Tensor) -> Tensor:
    """[N, 4] (w, x, y, z) of any length -> [N, 3, 3]."""
    w, x, y, z = F.normalize(quaternions, dim=1).unbind(1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def linear_light(srgb: Tensor) -> Tensor:
    """The standard curve, decoded (9)."""
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def unproject(gaussians: Prediction, disparity_factor: float, aspect: float) -> Prediction:
    """Image coordinates -> metres (8); ``aspect`` is the photo's height over its width."""
    x = 1 / (2 * disparity_factor)  # W / 2f; H / 2f is that times the aspect
    m = torch.tensor([x, x * aspect, 1.0], dtype=torch.float64).to(gaussians.means).diag()
    covariances = m @ gaussians.covariances @ m.T
    return Prediction(gaussians.means @ m.T, covariances, gaussians.colors, gaussians.opacities)
