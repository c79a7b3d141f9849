"""Knobs of the data: which questions there are, and how a row of a file is read."""

from typing import Literal

from radrl.config.section import NonNegativeInt, PositiveFloat, PositiveInt, Section

DicomPreset = Literal["voi", "mimic_jpg", "chexpert", "minmax"]


class DataConfig(Section):
    """Which questions to learn from, and how a row of a file is read."""

    train_files: tuple[str, ...] = ()
    """Training rows: files (JSON, JSON lines, CSV, TSV, parquet), folders of such files, or `owner/name` of a set on
    the Hugging Face hub, each with `@split` if it is not `train`; a single one may be written without a list."""
    train_weights: tuple[PositiveFloat, ...] = ()
    """Shares of the prompts that are drawn, one an entry of `train_files`, in any unit; empty takes each row once an
    epoch. Stages of a curriculum have shares of their own."""
    val_files: tuple[str, ...] = ()
    """Validation rows, named likewise; empty means no validation."""
    layout: Literal["cx_mind", "chex_phi4mm"] = "cx_mind"
    """Which recipe's row form the files are in."""
    prompt_key: str = "prompt"
    """Field that holds the question."""
    answer_key: str = "answer"
    """Field that holds the reference trace."""
    image_key: str = "images"
    """Field that holds the images, one or a list: paths, bytes, base64 or DICOM files."""
    video_key: str = "videos"
    """Field that holds the videos: folders or lists of frames, animations, or video files. Each is seen as images."""
    video_fps: PositiveFloat = 2.0
    """Frames taken of each second of a video; frames without times are all taken."""
    max_video_frames: PositiveInt = 16
    """Most frames of a video; of more, evenly spread ones are taken."""
    image_dir: str | None = None
    """Folder that relative image paths start from; the data file's own folder when not given."""
    max_prompt_length: PositiveInt = 2048
    """Longest prompt in tokens, images included."""
    max_response_length: PositiveInt = 512
    """Longest completion in tokens."""
    rollout_batch_size: PositiveInt = 16
    """Prompts a training step keeps."""
    val_batch_size: PositiveInt = 64
    """Prompts sampled together in validation."""
    val_max_samples: int = -1
    """Validation questions used, the first so many of the files; -1 means all."""
    format_prompt: str | None = None
    """Jinja file around the question, which it receives as `content`, beside its `kind`."""
    override_chat_template: str | None = None
    """Jinja text that replaces the tokenizer's chat template."""
    shuffle: bool = True
    """Whether each epoch draws the prompts in a new seeded order."""
    min_pixels: NonNegativeInt = 0
    """Images with fewer pixels are scaled up to it, keeping the aspect ratio."""
    max_pixels: PositiveInt = 1_003_520
    """Images with more pixels are scaled down to it, keeping the aspect ratio."""
    dicom_preset: DicomPreset = "voi"
    """How DICOM films become 8 bits: `voi` as a viewer shows them, `mimic_jpg` and `chexpert` as those sets were made,
    `minmax` stretched from the darkest to the brightest pixel. The same for training and test."""
    near_duplicates: Literal["off", "warn", "error"] = "warn"
    """What is done when a training and a validation image are the same film or nearly so, by a perceptual hash."""
    filter_overlong_prompts: bool = True
    """Whether prompts over `max_prompt_length` are dropped, counted and listed in the run's `logs/dropped.jsonl`;
    otherwise the first one is an error. No prompt is ever cut."""
    overlong_cache: str | None = None
    """Folder that keeps the lengths of prompts between runs, as hashes and numbers; a part of `RADRL_CACHE`, or of the
    user's own cache folder, when not given."""
