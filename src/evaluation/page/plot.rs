//! Charts as SVG text. Lines and texts in black take the page's colour there (`page.css`), so that
//! they can be read in light and dark.

use std::ops::Range;

use plotters::prelude::*;

use crate::evaluation::EvaluationError;

/// The models' colours: told apart by most people, and readable on black and on white.
const COLORS: [RGBColor; 6] = [
    RGBColor(0x2E, 0x7E, 0xC8),
    RGBColor(0xD5, 0x6A, 0x1E),
    RGBColor(0x2A, 0x9D, 0x6F),
    RGBColor(0xB0, 0x59, 0xB5),
    RGBColor(0xB8, 0x8A, 0x0B),
    RGBColor(0xC9, 0x4C, 0x5C),
];

/// The colour of the series with this number, as CSS has it.
pub(super) fn css_color(number: usize) -> String {
    let RGBColor(r, g, b) = color(number);
    format!("#{r:02X}{g:02X}{b:02X}")
}

fn color(number: usize) -> RGBColor {
    COLORS
        .get(number % COLORS.len())
        .copied()
        .unwrap_or(RGBColor(0, 0, 0))
}

/// A line through points, and a dot on each where wanted.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) color: usize,
    pub(super) points: Vec<(f64, f64)>,
    pub(super) dots: bool,
}

/// A filled area between two corners.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) color: usize,
    pub(super) from: (f64, f64),
    pub(super) to: (f64, f64),
}

/// What is drawn.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) size: (u32, u32),
    pub(super) x: Range<f64>,
    pub(super) y: Range<f64>,
    pub(super) x_name: &'static str,
    /// Empty for an axis of rows, which has no numbers.
    pub(super) y_name: &'static str,
    /// The x axis holds decimal logarithms.
    pub(super) log_x: bool,
    /// Names at 0, 1, 2… in place of numbers on the x axis; empty for numbers.
    pub(super) ticks: Vec<String>,
    pub(super) blocks: Vec<Block>,
    pub(super) lines: Vec<Line>,
    /// Thin lines that are no data: a diagonal, an interval.
    pub(super) guides: Vec<Vec<(f64, f64)>>,
    pub(super) labels: Vec<(f64, f64, String)>,
}

impl Figure {
    /// Axes from 0 to 1 and nothing else.
    pub(super) fn unit(x_name: &'static str, y_name: &'static str) -> Self {
        Self {
            size: (420, 320),
            x: 0.0..1.0,
            y: 0.0..1.0,
            x_name,
            y_name,
            log_x: false,
            ticks: Vec::new(),
            blocks: Vec::new(),
            lines: Vec::new(),
            guides: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// As SVG.
    pub(super) fn draw(&self) -> Result<String, EvaluationError> {
        let mut svg = String::new();
        self.draw_into(&mut svg)
            .map_err(|error| EvaluationError::Plot(error.to_string()))?;
        Ok(svg)
    }

    fn draw_into(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error + '_>> {
        let failed = |error: DrawingAreaErrorKind<_>| error.to_string();
        let root = SVGBackend::with_string(svg, self.size).into_drawing_area();
        let rows = self.y_name.is_empty();
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .x_label_area_size(38)
            .y_label_area_size(if rows { 8 } else { 60 })
            .build_cartesian_2d(self.x.clone(), self.y.clone())
            .map_err(failed)?;
        let number = |value: &f64| self.number(*value);
        let y_number = |value: &f64| if rows { String::new() } else { plain(*value) };
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.13))
            .axis_style(BLACK.mix(0.6))
            .label_style(("sans-serif", 15))
            .axis_desc_style(("sans-serif", 16))
            .x_labels(match self.ticks.len() {
                0 if self.log_x => 4,
                0 => 6,
                names => names,
            })
            .y_labels(6)
            .x_label_formatter(&number)
            .y_label_formatter(&y_number)
            .x_desc(self.x_name)
            .y_desc(self.y_name);
        if rows {
            mesh.disable_y_mesh();
        }
        mesh.draw().map_err(failed)?;
        let blocks = self.blocks.iter();
        let blocks =
            blocks.map(|b| Rectangle::new([b.from, b.to], color(b.color).mix(0.45).filled()));
        chart.draw_series(blocks).map_err(failed)?;
        for line in &self.lines {
            let style = color(line.color).stroke_width(2);
            let path = PathElement::new(line.points.clone(), style);
            chart.draw_series([path]).map_err(failed)?;
            let dots = line.points.iter().filter(|_| line.dots);
            let dots = dots.map(|at| Circle::new(*at, 3, color(line.color).filled()));
            chart.draw_series(dots).map_err(failed)?;
        }
        for guide in &self.guides {
            let path = PathElement::new(guide.clone(), BLACK.mix(0.55));
            chart.draw_series([path]).map_err(failed)?;
        }
        let labels = self.labels.iter();
        let labels =
            labels.map(|(x, y, text)| Text::new(text.clone(), (*x, *y), ("sans-serif", 15)));
        chart.draw_series(labels).map_err(failed)?;
        root.present().map_err(failed)?;
        Ok(())
    }

    fn number(&self, value: f64) -> String {
        if !self.ticks.is_empty() {
            let named = (0_u32..).zip(&self.ticks);
            let mut named = named.filter(|(place, _)| (f64::from(*place) - value).abs() < 1e-6);
            return named
                .next()
                .map(|(_, name)| name.clone())
                .unwrap_or_default();
        }
        if self.log_x {
            plain(10f64.powf(value))
        } else {
            plain(value)
        }
    }
}

/// Three significant digits are enough for an axis.
fn plain(value: f64) -> String {
    let digits = if value.abs() < 0.0095 && value != 0.0 {
        4
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() || text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}
