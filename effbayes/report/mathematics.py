"""Each model in words and formulas, with the numbers of the priors that a run had."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from statistics import NormalDist
from typing import Any

from effbayes import wording
from effbayes.report.document import Block, Formula, Paragraph

QUESTION = (
    "The question is how fast efficiency grows, and how sure that is. A Bayesian analysis answers "
    "with the probability of every rate, also where rows are few, and says what the answer owes to "
    "the prior. No decision is taken and no hypothesis tested: probabilities are given as they are."
)
UNITS = (
    "What is predicted is y, the logarithm to base 2 of the value; what predicts it is t, years "
    "from the mean date of the rows used. The parameter of interest is r, the rate in doublings of "
    "efficiency per year: the doubling time is 12 / r months. The others are ancillary: alpha is "
    "the level at t = 0, sigma the scatter of systems around the trend in doublings. s combines "
    "sigma with what the table says of the error of each value and date. For a series that rises "
    "signs turn."
)
BOUNDS = "A row with bounds counts with the probability between them."
BOUNDS_OF_DRIFT = (
    "A row with bounds counts as its middle, with the variance of a uniform between them."
)

TREND = Formula(
    r"y_i \sim \mathrm{Normal}\left(\alpha - r\,t_i,\ s_i\right), \qquad "
    r"s_i^2 = \sigma^2 + \mathrm{sd}_i^2 + (r\,\mathrm{sd}_{t_i})^2",
    "y_i ~ Normal(alpha - r t_i, s_i), s_i^2 = sigma^2 + value_sd_i^2 + (r date_sd_i)^2",
)
ROBUST = Formula(
    r"y_i \sim \mathrm{StudentT}\left(\nu,\ \alpha - r\,t_i,\ s_i\right), \qquad "
    r"s_i^2 = \sigma^2 + \mathrm{sd}_i^2 + (r\,\mathrm{sd}_{t_i})^2",
    "y_i ~ StudentT(nu, alpha - r t_i, s_i), s_i^2 = sigma^2 + value_sd_i^2 + (r date_sd_i)^2",
)

TWO_SIDED_95 = NormalDist().inv_cdf(0.975)

WORDS = {
    "loglinear": "The logarithm of the value moves along a line, and systems scatter around it.",
    "frontier": "A stochastic frontier: the line is the best that could be had, systems fall short "
    "of it by an exponential excess of mean eta, and noise acts both ways. Nobody picks the rows "
    "on the frontier.",
    "records": "Only systems that beat the record were reported: each row after the first is the "
    "log-linear model's, given that it beats the one before it.",
    "changepoint": "The rate changes once, at a date c within the inner 80 % of the span; the line "
    "does not jump there. The rate reported is the mean over the span.",
    "drift": "The rate follows a random walk in time, so that the trend is an integrated one. The "
    "rate reported is the mean over the span.",
    "hierarchical": "Doubling times of the series come from one log-normal population, and so do "
    "their noises: a series of two rows borrows from the others.",
}

OWN = {
    "frontier": Formula(
        r"y_i = \alpha - r\,t_i + u_i + e_i, \qquad u_i \sim \mathrm{Exponential}(\text{mean } "
        r"\eta), \qquad e_i \sim \mathrm{Normal}(0,\ s_i)",
        "y_i = alpha - r t_i + u_i + e_i, u_i ~ Exponential(mean eta), e_i ~ Normal(0, s_i)",
    ),
    "records": Formula(
        r"p(y_i) = \frac{\mathrm{Normal}(y_i;\ \mu_i,\ s_i)}{\Phi((b_i - \mu_i) / s_i)}, \qquad "
        r"y_i < b_i, \qquad \mu_i = \alpha - r\,t_i",
        "p(y_i) = Normal(y_i; mu_i, s_i) / Phi((b_i - mu_i) / s_i) for y_i < b_i, the record that "
        "it beat; mu_i = alpha - r t_i",
    ),
    "changepoint": Formula(
        r"\mu(t) = \alpha - r_1\,(t - b(t)) - r_2\,b(t), \qquad "
        r"b(t) = \max(t - c,\ 0) - \max(-c,\ 0)",
        "mu(t) = alpha - r_1 (t - b(t)) - r_2 b(t), b(t) = max(t - c, 0) - max(-c, 0)",
    ),
    "drift": Formula(
        r"\mu'(t) = -r(t), \qquad dr(t) = q\,dW(t)",
        "mu'(t) = -r(t), dr(t) = q dW(t), W a Wiener process",
    ),
    "hierarchical": Formula(
        r"\log T_d \sim \mathrm{Normal}(\mu,\ \tau), \qquad "
        r"\log \sigma_d \sim \mathrm{Normal}(\log s,\ \kappa)",
        "log T_d ~ Normal(mu, tau), log sigma_d ~ Normal(log s, kappa)",
    ),
}

PRIORS = {
    "alpha_sd": "alpha ~ Normal(mean of y, {})",
    "doubling_time_median": "doubling time log-normal with median {} months",
    "doubling_time_sdlog": "and standard deviation {} of its logarithm",
    "rate_sd": "r ~ Normal(0, {})",
    "sigma_scale": "sigma ~ HalfNormal({})",
    "nu_shape": "nu ~ Gamma with shape {}",
    "nu_rate": "and rate {}",
    "eta_scale": "eta ~ HalfNormal({})",
    "ratio_sdlog": "log(r_2 / r_1) ~ Normal(0, {})",
    "change_sd": "r_2 - r_1 ~ Normal(0, {})",
    "drift_scale": "q ~ HalfNormal({} doublings a year per square root of a year)",
    "tau_scale": "tau ~ HalfNormal({})",
    "sigma_spread": "kappa = {}",
}
"""What the numbers of the priors mean; any other is printed under its own name."""

OF_POPULATION = {
    "doubling_time_median": "exp(mu) log-normal with median {} months",
    "sigma_scale": "s ~ HalfNormal({})",
}
OF_CHANGE = {
    "doubling_time_median": "12 / sqrt(r_1 r_2) log-normal with median {} months",
    "rate_sd": "(r_1 + r_2) / 2 ~ Normal(0, {})",
}
INSTEAD = {"hierarchical": OF_POPULATION, "changepoint": OF_CHANGE}

ONLY_SIGNED = {"rate_sd", "change_sd"}
ONLY_DEFAULT = {"doubling_time_median", "doubling_time_sdlog", "ratio_sdlog"}
ONLY_ROBUST = {"nu_shape", "nu_rate"}


def model(settings: Mapping[str, Any]) -> tuple[Block, ...]:
    """Words, formulas and priors of the model that made a run."""
    name = settings["model"]
    formulas = [OWN[name]] if name in OWN else []
    if name in {"loglinear", "hierarchical"}:
        formulas.append(ROBUST if settings["noise"] == "student_t" else TREND)
    bounds = BOUNDS_OF_DRIFT if name == "drift" else BOUNDS
    return (
        Paragraph(QUESTION),
        Paragraph(WORDS[name]),
        *formulas,
        Paragraph(f"The {settings['prior']} prior: {'; '.join(priors(settings))}."),
        Paragraph(reasons(settings)),
        Paragraph(f"{UNITS} {bounds}"),
    )


def priors(settings: Mapping[str, Any]) -> list[str]:
    """The numbers of the priors that had a part in a run, in words."""
    numbers = dict(settings["priors"])
    kind = numbers.pop("kind")
    if kind == "reference":
        return ["flat in alpha, r and log sigma"]
    unused = ONLY_SIGNED if kind == "default" else ONLY_DEFAULT
    if settings["noise"] != "student_t":
        unused = unused | ONLY_ROBUST
    words = PRIORS | INSTEAD.get(settings["model"], {})
    found: list[str] = []
    for name, value in numbers.items():
        if name in unused:
            continue
        said = words.get(name, name.replace("_", " ") + " {}").format(f"{value:g}")
        if said.startswith("and "):
            found[-1] += f" {said}"
        else:
            found.append(said)
    return found


def reasons(settings: Mapping[str, Any]) -> str:
    """Why the priors are what they are, in numbers that a reader can disagree with."""
    numbers = settings["priors"]
    if settings["prior"] == "reference":
        return (
            "Why: a flat prior adds nothing to the rows, so that the answer can be held against "
            "least squares; it is no one's belief."
        )
    said = []
    if "alpha_sd" in numbers:
        wide = f"{numbers['alpha_sd']:g} doublings either way of their mean"
        said.append(f"the level is left to the rows ({wide})")
    if settings["prior"] == "signed":
        said.append("progress is not assumed: rates of both signs are as likely")
    else:
        median, spread = numbers["doubling_time_median"], numbers["doubling_time_sdlog"]
        ends = (median * exp(side * spread) for side in (-TWO_SIDED_95, TWO_SIDED_95))
        said.append(
            "progress is assumed, but hardly how fast: its doubling time is 95 % likely between "
            f"{' and '.join(map(wording.number, ends))} months"
        )
    noise = (
        "s, the scatter of the typical series," if settings["model"] == "hierarchical" else "sigma"
    )
    most = wording.number(TWO_SIDED_95 * numbers["sigma_scale"])
    said.append(f"{noise} is 95 % likely below {most} doublings")
    return f"Why: {'; '.join(said)}."
