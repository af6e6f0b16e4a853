"""What programs call the operations that Kadam has under names of its own."""

from __future__ import annotations

PUBLIC = {
    "bags": "embedding_bag", "batched": "matmul", "by_products": "cdist", "chosen": "where",
    "contracted": "einsum", "converted": "to", "copied_flat": "reshape", "ctc_losses": "ctc_loss",
    "differences": "cdist", "disturbed": "gumbel_softmax", "expanded": "expand", "half_of_real": "rfft",
    "indexed": "index", "joined": "pad_sequence", "make_complex": "complex", "masked": "index",
    "masked_around_floor": "alpha_dropout", "multi_head": "attention", "normalized": "normalize",
    "overlapped": "fold", "packed": "pack_padded_sequence", "pair_distances": "pdist", "permuted": "permute",
    "plainly_weighted": "mul", "pow_fixed": "pow", "pow_to_number": "pow", "radd": "add", "rdiv": "div",
    "real_of_half": "irfft", "reduced_by_length": "ctc_loss", "resized": "interpolate", "reversed_axes": "T",
    "rmul": "mul", "rnn_layer": "recurrence", "round_decimals": "round", "rows": "embedding", "rpow": "pow",
    "rounded_div": "//", "rsub": "sub", "rtrue_div": "div", "sampled": "grid_sample", "searched": "searchsorted",
    "seen": "slice", "selected": "index",
    "silenced": "dropout", "slice_axis": "slice", "sloped": "rrelu", "smoothed": "interpolate", "sort_places": "sort",
    "sorted": "sort", "squeezed": "squeeze", "squeezed_at": "squeeze", "transform": "fft",
    "transposed_convolution": "conv_transpose", "triplet_loss": "triplet_margin_loss", "true_div": "div",
    "unpool1d": "max_unpool1d", "unpool2d": "max_unpool2d", "unpool3d": "max_unpool3d", "vector_norm": "norm",
    "viewed": "view", "whole": "slice", "widened": "slice", "windows": "unfold", "with_masked": "index_put",
    "with_put": "index_put",
}  # fmt: skip
OF_MEMORY = frozenset({"covered", "fit", "owned", "put_back", "restore", "see", "severed"})  # no calls of the program
