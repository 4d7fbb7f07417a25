"""Each model in words and formulas, with the numbers of the priors that a run had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from effbayes.report.document import Block, Formula, Paragraph

UNITS = (
    "y is the logarithm to base 2 of the value, t years from the mean date of the rows used, r the "
    "rate in doublings of efficiency per year; the doubling time is 12 / r months. s combines "
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
        Paragraph(WORDS[name]),
        *formulas,
        Paragraph(f"The {settings['prior']} prior: {'; '.join(priors(settings))}."),
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
    return [
        words.get(name, name.replace("_", " ") + " {}").format(f"{value:g}")
        for name, value in numbers.items()
        if name not in unused
    ]
