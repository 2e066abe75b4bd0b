//! `CARD.md` of an imported bundle. Pure.

use std::fmt::Write as _;

use super::output::{Kind, Output};
use super::plan::Decided;
use super::preprocessing::{Color, Mode, Preprocessing, Rounding, Size};

/// The card's text.
pub(super) fn text(decided: &Decided) -> String {
    let Decided {
        name,
        preprocessing,
        output,
        ..
    } = decided;
    let mut card = format!(
        "# {name}\n\n\
         **Status: experimental, uncalibrated.** Made by `jaga models import` from an ONNX export. \
         Nothing was measured: how often it is right, and what its scores mean as probabilities, is \
         not known here. A high score is no proof, and a low one is no evidence that a video is \
         authentic.\n\n\
         ## Imported from\n\n\
         | what | |\n| --- | --- |\n"
    );
    let mut row = |what: &str, value: &str| {
        // Writing to a String can't fail.
        let _ = writeln!(card, "| {what} | {value} |");
    };
    row("folder", &code(&decided.origin));
    row("graph", &code(&decided.graph));
    row("architecture", &code(&decided.architecture));
    row("licence", &code(&decided.license));
    row("question", &code(&decided.question));
    card.push_str("\n## Labels\n\n");
    card.push_str(&labels(decided));
    card.push_str("\n## Preprocessing\n\n");
    card.push_str(&preparation(preprocessing));
    card.push_str("\n## Output\n\n");
    card.push_str(&reading(output));
    card
}

fn labels(decided: &Decided) -> String {
    let mut text = format!("{}\n", decided.meaning);
    if !decided.labels.is_empty() {
        let _ = write!(text, "\n```\n{}```\n", decided.labels.replace('`', "'"));
    }
    text
}

fn preparation(preprocessing: &Preprocessing) -> String {
    let mut text = format!("As {} does it:\n\n", code(&preprocessing.processor));
    let resize = preprocessing.resize;
    let kept = match resize.mode {
        Mode::ShortestSide => "aspect ratio kept, the longer side rounded down",
        Mode::Stretch => "aspect ratio given up",
    };
    let size = match resize.size {
        Size::Side(side) => format!("the shorter side to {side}"),
        Size::Sides([width, height]) => format!("to {width}x{height}"),
    };
    let _ = writeln!(text, "- resized {size}, {kept}, filter {}", resize.filter);
    if let Some(crop) = preprocessing.crop {
        let odd = match crop.rounding {
            Rounding::Down => "half of an odd remainder rounded down",
            Rounding::HalfEven => "half of an odd remainder rounded to the even neighbour",
        };
        let _ = writeln!(
            text,
            "- the middle {}x{}, {odd}",
            crop.size[0], crop.size[1]
        );
    }
    let color = match preprocessing.color {
        Color::Rgb => "RGB",
        Color::Bgr => "BGR",
    };
    let _ = writeln!(
        text,
        "- (value of 0..=255 · {} − mean) / deviation, {color}; mean {:?}, deviation {:?} of red, green \
         and blue",
        preprocessing.scale, preprocessing.mean, preprocessing.std
    );
    for note in &preprocessing.notes {
        let _ = writeln!(text, "- note: {note}");
    }
    text
}

fn reading(output: &Output) -> String {
    let kind = match output.kind {
        Kind::Probability => "a probability, as the graph ends in Softmax or Sigmoid",
        Kind::Logit => "log-odds, without any softmax here",
        Kind::Softmax => "class scores, to which softmax is applied here",
    };
    let which = match output.class {
        Some(class) => format!("class {class} of {}", output.count),
        None => "a single number".to_owned(),
    };
    format!("{}: {which}, {kind}.\n", code(&output.name))
}

/// Text of somebody else's in a code span: nothing in it can end the span, or the table.
fn code(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| {
            if c == '`' || c == '|' || c.is_control() {
                '\''
            } else {
                c
            }
        })
        .take(200)
        .collect();
    format!("`{plain}`")
}
