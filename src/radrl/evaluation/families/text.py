"""How alike a written answer and the reference's are worded: reports, free answers, differences."""

from collections.abc import Sequence

import numpy as np

from radrl.evaluation.family import Family
from radrl.evaluation.intervals import Statistic, among, mean_of
from radrl.evaluation.metrics.cider import cider_d
from radrl.evaluation.metrics.overlap import (
    corpus_bleu,
    overlap,
    rouge_l,
    rouge_n,
    sentence_bleu_1,
    token_precision,
    token_recall,
)
from radrl.evaluation.records import Judged
from radrl.evaluation.written import WRITTEN_TASKS


def _statistics(judged: Sequence[Judged]) -> list[Statistic]:
    """None where no answer is free text. A gold text without a word takes no part."""
    counted = [(row, one.texts) for row, one in enumerate(judged) if one.texts is not None]
    pairs = [overlap(texts.predicted, texts.gold) for _, texts in counted]
    if not pairs:
        return []
    kept = [place for place, pair in enumerate(pairs) if pair.num_gold]
    rows, pairs = [counted[place][0] for place in kept], [pairs[place] for place in kept]
    cider = cider_d(
        [counted[place][1].predicted for place in kept],
        [counted[place][1].gold for place in kept],
        questions=[judged[row].sample.id for row in rows],
    )
    statistics = [
        *corpus_bleu(pairs),
        mean_of("sentence_bleu_1", [sentence_bleu_1(pair) for pair in pairs]),
        mean_of("rouge_1", [rouge_n(pair, 1) for pair in pairs]),
        mean_of("rouge_2", [rouge_n(pair, 2) for pair in pairs]),
        mean_of("rouge_l", [rouge_l(pair) for pair in pairs]),
        mean_of("cider_d", [None if np.isnan(score) else float(score) for score in cider]),
        mean_of("token_precision", [token_precision(pair) for pair in pairs]),
        mean_of("token_recall", [token_recall(pair) for pair in pairs]),
        mean_of("token_f1", [rouge_n(pair, 1) for pair in pairs]),
        mean_of("answer_words", [pair.num_predicted for pair in pairs]),
        mean_of("gold_words", [pair.num_gold for pair in pairs]),
    ]
    return [among(statistic, rows=rows, num_rows=len(judged)) for statistic in statistics]


_TEXTS = (
    "of the final answer's text and the gold one, over reports, free answers and differences; words are runs of "
    "letters and digits in lower case, without stemming, and an answer that is missing has none"
)
_BLUNT = (
    "It rewards wording: a flipped negation hardly changes it, and a template that all answers share, as those of "
    "differences do, lifts it."
)


def _bleu(n: int) -> str:
    return (
        f"Corpus BLEU-{n} {_TEXTS}: the geometric mean of the shares of predicted n-grams, n = 1 to {n}, that the gold "
        "text has, clipped and summed over texts, times the brevity penalty; no smoothing, so that it is 0 where one n "
        f"has nothing in common. In [0, 1], more is better. {_BLUNT} Equal to sacrebleu's with tokenize='none' on "
        "these words, divided by 100; sacrebleu's own default tokeniser keeps case and punctuation. METEOR is not "
        "computed: it needs WordNet and Java."
    )


TEXT = Family(
    name="text",
    metrics={
        **{f"bleu_{n}": _bleu(n) for n in (1, 2, 3, 4)},
        "sentence_bleu_1": "Mean over texts of BLEU-1 of the single text without smoothing, as CX-Mind's reward has "
        "it, which takes words as nltk and jieba cut them. In [0, 1], more is better.",
        "rouge_1": f"Mean over texts of the F measure of single words {_TEXTS}. In [0, 1], more is better. {_BLUNT} "
        "Equal to rouge-score's rouge1 with use_stemmer=False on ASCII text; many published numbers are stemmed.",
        "rouge_2": "The same of pairs of neighbouring words; equal to rouge-score's rouge2 with use_stemmer=False.",
        "rouge_l": "Mean over texts of the F measure of the longest common subsequence of words, 2 L / (predicted + "
        "gold). In [0, 1], more is better. Equal to rouge-score's rougeL with use_stemmer=False on ASCII text; "
        "pycocoevalcap's ROUGE-L weighs recall more (beta 1.2).",
        "cider_d": "Mean over texts of CIDEr-D: 10 x the mean over n = 1 to 4 of the clipped cosine of tf-idf n-gram "
        "counts, times exp(-(difference in words)^2 / 72). In [0, 10], more is better. The idf is that of the gold "
        "texts of the block and stays in its resamples, so that blocks do not compare with each other; null below 20 "
        "questions, where an idf says nothing. Equal to pycocoevalcap's on the same words; its own words are the Penn "
        "Treebank tokeniser's, in Java.",
        "token_precision": "Mean over texts of the share of predicted words that the gold text has, each as often as "
        "there. In [0, 1], more is better.",
        "token_recall": "Mean over texts of the share of gold words that the prediction has, each as often as there: "
        "LLaVA-Med's score of open questions, which counts a repeated word once. In [0, 1]; a long answer lifts it, so "
        "read it beside answer_words.",
        "token_f1": "Mean over texts of 2 common / (predicted + gold) words: MedGemma's score of SLAKE and VQA-RAD, "
        "and SQuAD's, which leaves out articles. In [0, 1], more is better. The same number as rouge_1.",
        "answer_words": "Mean number of words of the final answers that these scores are about.",
        "gold_words": "Mean number of words of their gold texts.",
    },
    statistics=_statistics,
    tasks=WRITTEN_TASKS,
)
