//! A fitted bundle's `CARD.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::bundle::Recipe;
use super::clips::Clips;
use super::cross::{Choice, Fitted, Round};
use super::figures::{Figures, Shares};
use crate::domain::metrics::Metric;

/// Groups of the list of failures.
const WORST: usize = 10;

const ROWS: [(&str, &str); 9] = [
    ("roc_auc", "AUC"),
    ("roc_auc_matched", "AUC, matched content"),
    ("average_precision", "average precision"),
    ("tpr_at_fpr_0.05", "recall at 5 % false positives"),
    ("tpr_at_fpr_0.02", "recall at 2 % false positives"),
    ("tpr_at_fpr_0.01", "recall at 1 % false positives"),
    ("log_loss", "log loss (0.693 is a coin)"),
    ("brier", "Brier score (0.25 is a coin)"),
    ("ece", "expected calibration error"),
];

pub(super) fn card(recipe: &Recipe<'_>, clips: &[&Clips], fitted: &Fitted, of: &Figures) -> String {
    let name = recipe.name();
    format!(
        "# {name}\n\n\
         **Status: experimental.** A linear head made by `jaga fit`. It knows only what its training \
         clips show: other generators, cameras and platforms may be judged wrongly. What was not in \
         them (swapped faces, local edits, screen recordings, heavy recompression) was not measured, \
         and a low score is no evidence that a video is authentic.\n\n\
         ## Figures\n\n{}\n## Known failures\n\n{}\n## Training\n\n{}",
        measured(of),
        failures(clips, fitted),
        training(recipe, clips, fitted),
    )
}

/// Figures with intervals, families and verdicts.
fn measured(of: &Figures) -> String {
    let counts = of.clips;
    let mut text = format!(
        "Measured on {} synthetic and {} real clips ({} groups, {} of them with synthetic clips), \
         every clip by a head that was fitted, chosen and calibrated without its group{}:\n\n\
         | figure | value | 95 % interval |\n| --- | --- | --- |\n",
        counts.synthetic,
        counts.real,
        counts.groups,
        counts.synthetic_groups,
        match of.repeats {
            0 | 1 => String::new(),
            repeats => format!("; means of {repeats} ways to put the groups into folds"),
        }
    );
    for (key, name) in ROWS {
        if let Some(metric) = of.metrics.get(key) {
            line(&mut text, &format!("| {name} | {} |", cells(metric)));
        }
    }
    line(
        &mut text,
        "\nIntervals draw whole groups. Log loss, Brier score and calibration error count both classes as \
         equally frequent.\n",
    );
    line(
        &mut text,
        "| group of synthetic clips, left out of training | clips | AUC against all real clips |",
    );
    line(&mut text, "| --- | --- | --- |");
    for family in &of.families {
        let auc = family
            .roc_auc
            .map_or("–".to_owned(), |auc| format!("{auc:.2}"));
        line(
            &mut text,
            &format!("| {} | {} | {auc} |", plain(&family.group), family.clips),
        );
    }
    line(
        &mut text,
        &format!(
            "\nVerdicts: `substantial_evidence` from a score of {}, `little_evidence` below {}.\n",
            of.thresholds.substantial_evidence, of.thresholds.little_evidence
        ),
    );
    line(
        &mut text,
        "| clips | substantial evidence | uncertain | little evidence |",
    );
    line(&mut text, "| --- | --- | --- | --- |");
    for (shares, note) in [
        (&of.verdicts, ""),
        (&of.verdicts_unseen, ", thresholds from other folds"),
    ] {
        for (name, shares) in [("synthetic", &shares[1]), ("real", &shares[0])] {
            line(
                &mut text,
                &format!("| {name}{note} | {} |", verdicts(*shares)),
            );
        }
    }
    line(
        &mut text,
        "\nThe first two rows are the clips that the thresholds were chosen on; the last two say what to \
         expect on new ones.",
    );
    text
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// A name from a table, fit for a cell of another.
fn plain(name: &str) -> String {
    name.replace('|', "/").replace(['\n', '\r'], " ")
}

fn cells(metric: &Metric) -> String {
    let number =
        |n: Option<f64>, digits: usize| n.map_or("–".to_owned(), |n| format!("{n:.digits$}"));
    format!(
        "{} | {}–{}",
        number(metric.value, 3),
        number(metric.low, 2),
        number(metric.high, 2)
    )
}

fn verdicts(shares: Shares) -> String {
    let cell = |part: f64| {
        let percent = 100.0 * part / shares.clips.max(1) as f64;
        format!("{part} ({percent:.1} %)")
    };
    [
        shares.substantial_evidence,
        shares.uncertain,
        shares.little_evidence,
    ]
    .map(cell)
    .join(" | ")
}

/// The groups of at least three clips with the largest share of unseen clips on the wrong side.
fn failures(clips: &[&Clips], fitted: &Fitted) -> String {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for clips in clips.iter().take(1) {
        for (clip, group) in clips.groups.iter().enumerate() {
            let class = clips.synthetic[clip];
            let missed = |round: &&Round| (round.unseen[clip] >= 0.5) != class;
            let (wrong, all) = counts.entry(group).or_default();
            *wrong = wrong.saturating_add(fitted.rounds.iter().filter(missed).count());
            *all = all.saturating_add(1);
        }
    }
    let rounds = fitted.rounds.len().max(1) as f64;
    let mean = |wrong: usize| (10.0 * wrong as f64 / rounds).round() / 10.0;
    let share = |(wrong, all): (usize, usize)| wrong as f64 / all as f64;
    let mut worst: Vec<(&str, (usize, usize))> = counts.into_iter().collect();
    worst.retain(|(_, (wrong, all))| *all >= 3 && *wrong > 0);
    worst.sort_by(|a, b| share(b.1).total_cmp(&share(a.1)));
    let mut text = String::from("Groups with the most unseen clips on the wrong side of 0.5:\n\n");
    for (group, (wrong, all)) in worst.into_iter().take(WORST) {
        line(
            &mut text,
            &format!("- {}: {} of {all} clips", plain(group), mean(wrong)),
        );
    }
    text
}

/// What it was fitted to, and how it was chosen.
fn training(recipe: &Recipe<'_>, clips: &[&Clips], fitted: &Fitted) -> String {
    let mut text = String::from("| what | |\n| --- | --- |\n");
    for (file, blake3) in clips.iter().flat_map(|set| &set.files) {
        line(&mut text, &format!("| `{file}` | BLAKE3 `{blake3}` |"));
    }
    line(
        &mut text,
        &format!("| what counts the same | {} |", recipe.plan.balance.name()),
    );
    line(
        &mut text,
        &format!("| chosen | {} |", named(recipe, fitted.settled.choice)),
    );
    if let Some(strength) = fitted.second_strength {
        line(&mut text, &format!("| second set's C | {strength} |"));
    }
    line(
        &mut text,
        &format!(
            "| folds | {}, whole groups, seed {}, {} times |",
            recipe.plan.folds, recipe.plan.seed, recipe.plan.repeats
        ),
    );
    line(
        &mut text,
        &format!("| chosen inside of the folds | {} |", inner(recipe, fitted)),
    );
    line(
        &mut text,
        "\n| tried | loss on held-out groups |\n| --- | --- |",
    );
    for (choice, loss) in &fitted.tried {
        // Writing to a String can't fail.
        let _ = writeln!(text, "| {} | {loss:.4} |", named(recipe, *choice));
    }
    text
}

/// The choices of all folds of all rounds, the most frequent first.
fn inner(recipe: &Recipe<'_>, fitted: &Fitted) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for settled in fitted.rounds.iter().flat_map(|round| &round.inner) {
        let count = counts.entry(named(recipe, settled.choice)).or_default();
        *count = count.saturating_add(1);
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let counts = counts.iter();
    let texts: Vec<String> = counts.map(|(name, n)| format!("{name} ({n} ×)")).collect();
    texts.join("; ")
}

fn named(recipe: &Recipe<'_>, choice: Choice) -> String {
    let array = recipe.arrays.get(choice.array).map_or("?", String::as_str);
    let mut text = format!("`{array}`, C = {}", choice.strength);
    if recipe.plan.shares != [0.0] {
        // Writing to a String can't fail.
        let _ = write!(text, ", {} of the second head", choice.share);
    }
    text
}
