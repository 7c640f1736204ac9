"""What each number means, in one sentence, under the headings of the page."""

HEADINGS: dict[str, dict[str, str]] = {
    "Fidelity and diversity": {
        "frechet": "How far the samples' features are from those of real examples, both taken as Gaussians.",
        "kernel_distance": "The squared distance of the samples' features from real ones, unbiased.",
        "precision": "The share of the samples that lie where real examples lie: fidelity.",
        "recall": "The share of the real examples that lie where samples lie: diversity.",
        "density": "How deep the samples lie among real examples; 1 for real ones.",
        "coverage": "The share of the real examples that have a sample nearby.",
        "inception_score": "How sure a classifier is of each sample, and how evenly they spread over its classes.",
        "two_sample": "How well a classifier tells samples from real examples; 0.5 is chance.",
        "sliced_wasserstein": "How far the samples must be moved to become the real ones, along random directions.",
        "truncation_precision": "What each narrower prior adds to precision, at least.",
        "truncation_recall": "What each narrower prior takes from recall, at least.",
        "checkerboard": "The share of the samples' power at the frequencies of pixel grids, beside real images'.",
        "on_manifold": "The share of the samples that lie near the curve that the data come from.",
        "validity": "The share of the strings that the grammar's own parser accepts.",
        "distinct_valid": "How many different valid strings there are among the samples.",
        "length_distance": "How far the lengths of the strings are from the grammar's law.",
        "bigram_divergence": "How far the pairs of neighbouring symbols are from those of real strings.",
    },
    "Modes": {
        "rarest_class": "The class that the samples neglect most, relative to its share among real examples.",
        "commonest_class": "The class that the samples favour most, relative to its share among real examples.",
        "modes": "How many modes of the mixture the samples find.",
        "high_quality": "The share of the samples that lie near a mode.",
        "mode_divergence": "How unevenly the samples spread over the modes.",
        "mode_width": "How wide the samples spread about a mode; 1 is as wide as the data.",
        "stacked_modes": "How many of the 1,000 numbers the samples show.",
        "stacked_divergence": "How unevenly the samples spread over the 1,000 numbers.",
    },
    "Likelihood": {
        "elbo": "A lower bound on the log-probability of held-out examples.",
        "log_likelihood": "The log-probability of held-out examples.",
        "distortion": "How badly held-out examples come back from a drawn code.",
        "rate": "How much the code says about an example.",
        "active_units": "Latent units that say anything about the examples.",
        "ais_gap": "How far the two directions of annealed importance sampling are apart.",
        "ais_error": "How far annealed importance sampling is off where the truth can be summed up.",
        "parzen": "A legacy estimate of the likelihood from samples, to be read beside that of real examples.",
    },
    "Representation": {
        "probe": "How much of the labels a linear classifier reads from the codes.",
        "knn": "How much of the labels nearest neighbours read from the codes.",
        "svm": "How well a linear support vector machine classifies by the codes.",
        "finetune": "How well a classifier does that begins at the model's encoder.",
        "finetune_gain": "How much better such a classifier is than one that begins at random weights.",
        "clusters": "The share of the examples whose class a code that saw no labels tells.",
        "reconstruction": "How well held-out examples come back from their codes.",
        "pca_ratio": "The reconstruction error over that of principal components.",
        "pca_angle": "The angle between the decoder's and the principal subspace.",
        "jacobian_norm": "How far a code moves when its example does.",
        "mutual_information": "The most that the code can tell about an example.",
        "prior_mmd": "How far the codes of all examples together are from the prior.",
    },
    "Usefulness": {
        "label_obeyed": "The share of the samples that have the label they were asked for.",
        "train_on_generated": "How well a classifier that saw only samples does on real examples.",
        "augmentation": "What samples add to a few real labels for a classifier.",
    },
    "Memorisation": {
        "memorisation": "How often a sample is nearer to training examples than a held-out one is; 0.5 is right.",
        "memorised": "The share of the samples that are as near to training examples as very few held-out ones are.",
    },
}
OTHER = "Other numbers"


def place(name: str) -> tuple[str, str]:
    """The heading of a result and its meaning: of its name, or of what comes before its last or first underscore."""
    for key in (name, name.rpartition("_")[0], name.partition("_")[0]):
        for heading, meanings in HEADINGS.items():
            if key in meanings:
                return heading, meanings[key]
    return OTHER, ""


def grouped(names: list[str]) -> dict[str, list[str]]:
    """Names of results under their headings, in the page's order of both."""
    order = [*HEADINGS, OTHER]
    ranks = {name: i for i, name in enumerate(name for meanings in HEADINGS.values() for name in meanings)}
    known = sorted(names, key=lambda name: ranks.get(name, ranks.get(name.partition("_")[0], len(ranks))))
    groups = {heading: [name for name in known if place(name)[0] == heading] for heading in order}
    return {heading: members for heading, members in groups.items() if members}
