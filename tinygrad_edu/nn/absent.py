"""Names that Keras has and this package doesn't: why, and what is nearest.

Errors for unknown names and docs/keras.md are made from these tables.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple


class Group(NamedTuple):
    """Names that are absent for the same reason."""

    names: str
    why: str
    nearest: str


_IMAGES = "images have too many numbers for an engine that records each one"
_MASKS = "it compares masks of images"
_SEQUENCES = "a sample is one row of a table, not a sequence"
_SOUNDS = "sounds have too many numbers for an engine that records each one"
_OTHERS = "it wraps code of another library, which can't be recorded"
_TABLES = "pandas and scikit-learn prepare tables"
_FILES = "it reads files of images, sounds or text"
_ONE_DTYPE = "all numbers are float64"
_NO_BACKEND = "there is one engine, not one of several backends"
_MACHINES = "everything is computed on one processor"
_NOT_NUMBERS = "its results are not numbers that gradients flow through"
_BITS = "numbers are real, not bits"
_COMPLEX = "numbers are real, not complex"
_ALGEBRA = "an algorithm of linear algebra takes thousands of recorded operations"
_STEPS = "Python's own loops and branches are recorded"
_REGISTRY = "files are read with a table of classes for each call, not with a global one"
_SMALL = "one rule more, which small models don't need"

_POOLS = " ".join(
    f"{how}{what}{n}D"
    for how in ("", "Global", "Adaptive")
    for what in ("AveragePooling", "MaxPooling", "AvgPool", "MaxPool")
    for n in (1, 2, 3)
    if how != "Adaptive" or what.endswith("Pooling")
)
_CONVOLUTIONS = " ".join(
    f"{how}{n}D{after}" for how in ("Conv", "Convolution") for n in (1, 2, 3)
    for after in ("", "Transpose")
)  # fmt: skip
_AUGMENTATIONS = " ".join(
    f"Random{how}"
    for how in (
        "Brightness", "ColorDegeneration", "ColorJitter", "Contrast", "Crop", "ElasticTransform",
        "Erasing", "Flip", "GaussianBlur", "Grayscale", "Hue", "Invert", "Perspective",
        "Posterization", "Rotation", "Saturation", "Sharpness", "Shear", "Translation", "Zoom",
    )
)  # fmt: skip

ABSENT: Final[dict[str, tuple[Group, ...]]] = {
    "": (
        Group("DTypePolicy FloatDTypePolicy dtype_policies mixed_precision quantizers Quantizer",
              _ONE_DTYPE, "dtype='float64', which may be left out"),
        Group("Function Operation KerasTensor SymbolicScope", "models are wired by Signals",
              "keras.Model, keras.Input"),
        Group("InputSpec", "each layer checks the shape of its input itself", "keras.Input"),
        Group("RematScope remat StatelessScope name_scope", "the graph keeps every number",
              "tg.scope names parts of a graph"),
        Group("backend config device distribution", _NO_BACKEND, "model.compile(jit_compile=...)"),
        Group("applications preprocessing visualization", _IMAGES, "tg.draw shows a model"),
        Group("datasets", "it downloads data",
              "sklearn.datasets, or the tables in docs/command.md"),
        Group("distillation", "it trains large models", "a user-defined loss"),
        Group("export", "each format is a method here", "model.export(path), tg.export"),
        Group("legacy src version", "it is internal to Keras", "tinygrad_edu.__version__"),
        Group("random", "layers draw from one source of seeds",
              "keras.utils.set_random_seed, random.Random, numpy.random"),
        Group("tree", "derivatives read containers by themselves", "tg.register_container"),
        Group("wrappers", "the estimators stand in a room of their own",
              "tinygrad_edu.estimators.Regressor and Classifier"),
    ),
    "activations": (),
    "callbacks": (
        Group("OrbaxCheckpoint", "it needs JAX's Orbax", "ModelCheckpoint, BackupAndRestore"),
        Group("ProgbarLogger", "`fit(verbose=1)` shows the bar", "Progress"),
        Group("RemoteMonitor", "it sends numbers to a server", "LambdaCallback, CSVLogger"),
        Group("SwapEMAWeights", "optimizers keep no average of the weights", "WeightHistory"),
        Group("TensorBoard", "it writes the files of TensorFlow's own program",
              "WeightHistory, CSVLogger, tg.explore(model)"),
    ),
    "constraints": (),
    "initializers": (
        Group("Orthogonal OrthogonalInitializer orthogonal", _ALGEBRA,
              "GlorotUniform, or a function of the shape"),
        Group("STFT STFTInitializer stft", _SOUNDS, "Constant"),
    ),
    "layers": (
        Group(f"{_CONVOLUTIONS} DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D "
              f"SeparableConvolution1D SeparableConvolution2D {_POOLS}",
              _IMAGES, "Flatten and Dense"),
        Group("Cropping1D Cropping2D Cropping3D UpSampling1D UpSampling2D UpSampling3D "
              "ZeroPadding1D ZeroPadding2D ZeroPadding3D SpatialDropout1D SpatialDropout2D "
              "SpatialDropout3D Resizing CenterCrop", _IMAGES, "Reshape, Dropout"),
        Group(f"{_AUGMENTATIONS} AugMix AutoContrast CutMix MixUp RandAugment Equalization "
              "ContrastLimitedAdaptiveHistogramEqualization Solarization MaxNumBoundingBoxes",
              _IMAGES, "GaussianNoise"),
        Group("MelSpectrogram STFTSpectrogram", _SOUNDS, "scipy.signal, before the training"),
        Group("RNN SimpleRNN SimpleRNNCell LSTM LSTMCell GRU GRUCell StackedRNNCells "
              "Bidirectional TimeDistributed ConvLSTM1D ConvLSTM2D ConvLSTM3D Masking",
              _SEQUENCES, "Flatten and Dense, on a window of fixed length"),
        Group("Attention AdditiveAttention MultiHeadAttention GroupQueryAttention", _SEQUENCES,
              "Dense, or a user-defined Layer"),
        Group("TextVectorization StringLookup Hashing HashedCrossing", _TABLES,
              "the command's columns of words, Embedding"),
        Group("CategoryEncoding IntegerLookup Discretization", _TABLES,
              "keras.utils.to_categorical, pandas.get_dummies"),
        Group("FlaxLayer JaxLayer TorchModuleWrapper TFSMLayer", _OTHERS,
              "tg.export writes a model for them"),
        Group("AlphaDropout GaussianDropout", _SMALL, "Dropout, GaussianNoise"),
        Group("GroupNormalization RMSNormalization UnitNormalization SpectralNormalization",
              _SMALL, "LayerNormalization, BatchNormalization"),
        Group("Dot dot EinsumDense Permute RepeatVector", "samples are flat rows",
              "Multiply, Reshape, Lambda"),
        Group("ActivityRegularization", "each layer has a setting for it",
              "activity_regularizer= of any layer"),
        Group("InputLayer", "an input is a Signal, not a layer", "Input"),
        Group("InputSpec", "each layer checks the shape of its input itself", "Input"),
        Group("Pipeline Wrapper", "layers can hold layers", "Sequential, a user-defined Layer"),
        Group("ReversibleEmbedding", "it serves language models", "Embedding"),
    ),
    "losses": (
        Group("CTC ctc", _SEQUENCES, "SparseCategoricalCrossentropy"),
        Group("Dice dice Tversky tversky", _MASKS, "BinaryCrossentropy"),
        Group("BinaryFocalCrossentropy binary_focal_crossentropy", _SMALL,
              "BinaryCrossentropy with class_weight"),
        Group("CategoricalFocalCrossentropy categorical_focal_crossentropy "
              "CategoricalGeneralizedCrossEntropy categorical_generalized_cross_entropy", _SMALL,
              "CategoricalCrossentropy with class_weight or label_smoothing"),
        Group("Circle circle", "it compares embeddings of images", "CosineSimilarity"),
    ),
    "metrics": (
        Group("IoU BinaryIoU MeanIoU OneHotIoU OneHotMeanIoU", _MASKS, "F1Score"),
        Group("PearsonCorrelation pearson_correlation ConcordanceCorrelation "
              "concordance_correlation", _SMALL, "R2Score"),
        Group("MeanMetricWrapper", "a function is a metric already",
              "compile(metrics=[function])"),
        Group("PrecisionAtRecall RecallAtPrecision SensitivityAtSpecificity "
              "SpecificityAtSensitivity", _SMALL, "AUC, Precision and Recall with thresholds"),
        Group("binary_focal_crossentropy categorical_focal_crossentropy", _SMALL,
              "binary_crossentropy, categorical_crossentropy"),
    ),
    "models": (),
    "ops": (
        Group("adaptive_average_pool adaptive_max_pool average_pool max_pool conv conv_transpose "
              "depthwise_conv separable_conv depth_to_space space_to_depth fold unfold image psnr",
              _IMAGES, "matmul, reshape"),
        Group("bartlett blackman hamming hanning kaiser fft fft2 ifft2 rfft irfft stft istft "
              "extract_sequences", _SOUNDS, "numpy.fft, before the training"),
        Group("dot_product_attention ctc_decode ctc_loss", _SEQUENCES, "softmax, matmul"),
        Group("batch_normalization layer_normalization rms_normalization", "layers do this",
              "keras.layers.BatchNormalization, LayerNormalization"),
        Group("angle conj conjugate imag isreal polar real view_as_complex view_as_real", _COMPLEX,
              "hypot, arctan2"),
        Group("bitwise_and bitwise_invert bitwise_left_shift bitwise_not bitwise_or "
              "bitwise_right_shift bitwise_xor left_shift right_shift gcd lcm view", _BITS,
              "numpy's functions, before the training"),
        Group("cholesky cholesky_inverse det eig eigh inv logdet lstsq lu_factor matrix_rank pinv "
              "qr slogdet solve solve_triangular svd linalg cdist", _ALGEBRA,
              "numpy.linalg, on plain numbers"),
        Group("associative_scan cond custom_gradient fori_loop map scan switch vectorize "
              "vectorized_map while_loop jvp", _STEPS,
              "for and if, tg.vmap, tg.jvp, tg.op with its own partials"),
        Group("argpartition argsort bincount digitize histogram in_top_k isin is_tensor multi_hot "
              "nonzero searchsorted unique unravel_index count_nonzero dtype", _NOT_NUMBERS,
              "numpy's function of this name"),
        Group("scatter scatter_update slice slice_update segment_max segment_min segment_prod "
              "segment_sum get_item rearrange", "arrays have brackets: x[i:j]",
              "x[i:j], concatenate, where"),
        Group("nan_to_num nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian "
              "nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar",
              "data with nan are refused", "numpy's function of this name, before the training"),
        Group("erfinv i0 nextafter ldexp heaviside signbit sinc logaddexp2",
              "it isn't a row of the table", "erf, exp2, logaddexp, where; tg.op adds a row"),
        Group("corrcoef correlate median percentile quantile moments geomspace logspace vander",
              "it serves statistics, not training", "numpy's function of this name"),
        Group("nn numpy", "the functions stand in keras.ops itself", "keras.ops"),
        Group("saturate_cast empty empty_like", _ONE_DTYPE, "cast, zeros, zeros_like"),
        Group("binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy",
              "losses stand in a room of their own", "keras.losses"),
    ),
    "optimizers": (
        Group("Adafactor Lamb Muon ScheduleFreeAdamW", "it serves models of a size that is out of "
              "reach", "AdamW, Lion"),
        Group("LossScaleOptimizer", _ONE_DTYPE, "the optimizer itself"),
        Group("MultiOptimizer OptimizerMap", "a model has one optimizer",
              "layer.trainable = False, or nn's optimizers in a loop"),
        Group("legacy", "it is internal to Keras", "the optimizer of the same name"),
    ),
    "optimizers.schedules": (),
    "regularizers": (
        Group("OrthogonalRegularizer orthogonal_regularizer", _SMALL, "L2, or a function"),
    ),
    "saving": (
        Group("CustomObjectScope custom_object_scope get_custom_objects get_registered_name "
              "get_registered_object register_keras_serializable", _REGISTRY,
              "load_model(path, custom_objects={...})"),
        Group("KerasFileEditor", "saved models are readable JSON", "any editor"),
        Group("deserialize_keras_object serialize_keras_object", "each room reads and writes its "
              "own kind", "keras.layers.serialize, keras.losses.serialize and so on"),
    ),
    "utils": (
        Group("CustomObjectScope custom_object_scope get_custom_objects get_registered_name "
              "get_registered_object register_keras_serializable", _REGISTRY,
              "load_model(path, custom_objects={...})"),
        Group("deserialize_keras_object serialize_keras_object", "each room reads and writes its "
              "own kind", "keras.layers.serialize, keras.losses.serialize and so on"),
        Group("Config legacy", "it is internal to Keras", "a dict"),
        Group("FeatureSpace", _TABLES, "the command's columns of words, pandas.get_dummies"),
        Group("Progbar disable_interactive_logging enable_interactive_logging "
              "is_interactive_logging_enabled", "`fit(verbose=...)` says how to print",
              "keras.callbacks.Progress"),
        Group("PyDataset Sequence", "any iterable of batches is read", "fit(generator)"),
        Group("array_to_img audio_dataset_from_directory bounding_boxes get_file "
              "image_dataset_from_directory img_to_array load_img save_img "
              "text_dataset_from_directory", _FILES, "numpy, pandas"),
        Group("pad_sequences timeseries_dataset_from_array", _SEQUENCES,
              "numpy.lib.stride_tricks.sliding_window_view"),
        Group("clear_session", "nothing is kept between models", "nothing: leave it out"),
        Group("get_source_inputs is_keras_tensor", "models are wired by Signals",
              "model.inputs, isinstance(x, Signal)"),
        Group("model_to_dot", "pictures of models are drawn by one function",
              "keras.utils.plot_model(model).source"),
        Group("pack_x_y_sample_weight unpack_x_y_sample_weight", "batches are plain tuples",
              "(x, y, sample_weight)"),
        Group("standardize_dtype", _ONE_DTYPE, "'float64'"),
    ),
}  # fmt: skip
"""The absent names of each room of Keras; the room "" is ``keras`` itself."""

ROOMS: Final = {
    "activation": "activations", "callback": "callbacks", "constraint": "constraints",
    "initializer": "initializers", "layer": "layers", "loss": "losses", "metric": "metrics",
    "optimizer": "optimizers", "regularizer": "regularizers", "schedule": "optimizers.schedules",
}  # fmt: skip
"""The room in which Keras keeps things of a kind."""


def names(room: str) -> list[str]:
    """The absent names of a room.

    >>> names("regularizers")
    ['OrthogonalRegularizer', 'orthogonal_regularizer']
    """
    return [name for group in ABSENT[room] for name in group.names.split()]


def remedy(room: str, wanted: object) -> str:
    """Why a name of Keras is absent, and what is nearest; otherwise an empty string.

    The name may be written like a class or like a function.

    >>> remedy("losses", "ctc")
    "Keras's 'ctc' is absent here: a sample is one row of a table, not a sequence. Nearest: \
SparseCategoricalCrossentropy."
    """
    groups = [(name, group) for group in ABSENT.get(room, ()) for name in group.names.split()]
    groups.sort(key=lambda each: each[0] != wanted)  # a name before another spelling of it
    for name, group in groups:
        if _folded(name) == _folded(str(wanted)):
            return f"Keras's {name!r} is absent here: {group.why}. Nearest: {group.nearest}."
    return ""


def near(room: str, wanted: str, known: Collection[str]) -> str:
    """The remedy for a name, or for the absent one that it is a typo of; or the nearest known one.

    >>> near("layers", "Conv2d", ["Dense"])[:40], near("layers", "Dens", ["Dense"])
    ("Keras's 'Conv2D' is absent here: images ", "Did you mean 'Dense'?")
    """
    import difflib  # only for an error: the import takes a few milliseconds

    if found := remedy(room, wanted):
        return found
    for one in difflib.get_close_matches(wanted[:200], [*known, *names(room)], n=1):
        return f"Did you mean {one!r}?" if one in known else remedy(room, one)
    return ""


def _folded(name: str) -> str:
    return name.replace("_", "").casefold()
