"""Metrics of scikit-learn's own scorers, for curves that report one by ``scoring``: a test holds them against it."""

from __future__ import annotations

SCORERS = (
    "val_adjusted_mutual_info_score",
    "val_adjusted_rand_score",
    "val_brier_score",
    "val_completeness_score",
    "val_d2_absolute_error_score",
    "val_d2_brier_score",
    "val_d2_log_loss_score",
    "val_explained_variance",
    "val_f1",
    "val_f1_micro",
    "val_f1_samples",
    "val_f1_weighted",
    "val_fowlkes_mallows_score",
    "val_homogeneity_score",
    "val_jaccard",
    "val_jaccard_macro",
    "val_jaccard_micro",
    "val_jaccard_samples",
    "val_jaccard_weighted",
    "val_max_error",
    "val_mean_absolute_error",
    "val_mean_absolute_percentage_error",
    "val_mean_gamma_deviance",
    "val_mean_poisson_deviance",
    "val_mean_squared_error",
    "val_mean_squared_log_error",
    "val_mutual_info_score",
    "val_negative_likelihood_ratio",
    "val_normalized_mutual_info_score",
    "val_positive_likelihood_ratio",
    "val_precision",
    "val_precision_micro",
    "val_precision_samples",
    "val_precision_weighted",
    "val_rand_score",
    "val_recall",
    "val_recall_micro",
    "val_recall_samples",
    "val_recall_weighted",
    "val_roc_auc_ovo",
    "val_roc_auc_ovo_weighted",
    "val_roc_auc_ovr",
    "val_roc_auc_ovr_weighted",
    "val_root_mean_squared_error",
    "val_root_mean_squared_log_error",
    "val_top_k_accuracy",
    "val_v_measure_score",
)
"""What further scorers report, as a curve names it: the scorer without its ``neg_``."""


def metric(scoring: str) -> str:
    """Name under which a scorer is reported: losses are positive, so ``neg_mean_absolute_error`` loses its ``neg_``."""
    return scoring.removeprefix("neg_")
