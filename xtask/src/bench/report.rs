//! What was measured, as a table and as JSON.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::side::Side;
use super::usage::Cost;

/// One thing that was measured, of one side: medians.
#[derive(Debug)]
pub(super) struct Row {
    what: String,
    side: Side,
    runs: usize,
    cost: Cost,
}

impl Row {
    pub(super) fn new(what: &str, side: Side, costs: &[Cost]) -> Row {
        Row { what: what.to_owned(), side, runs: costs.len(), cost: Cost::median(costs) }
    }
}

/// Start to schema, by itself.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) schema: Duration,
    /// Kilobytes.
    pub(super) resident: u64,
}

/// Everything that one run has measured.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The machine, the programs, how the releases were made: a name and what it is.
    pub(super) about: Vec<(&'static str, String)>,
    pub(super) start: Option<Start>,
    pub(super) rows: Vec<Row>,
}

impl Report {
    /// The row of another side that was measured together with this one.
    fn beside(&self, row: &Row, side: Side) -> Option<&Cost> {
        let same = |other: &&Row| other.what == row.what && other.side == side && row.side != side;
        self.rows.iter().find(same).map(|row| &row.cost)
    }

    /// In Markdown.
    pub(super) fn markdown(&self) -> String {
        let mut text: String = self.about.iter().map(|(name, what)| format!("- {name}: {what}\n")).collect();
        if let Some(start) = &self.start {
            let schema = start.schema.as_secs_f64() * 1000.0;
            text.push_str(&format!("- start to schema: {schema:.0} ms, {} resident\n", megabytes(start.resident)));
        }
        if !self.rows.is_empty() {
            let head = [
                "measured",
                "of",
                "runs",
                "wall",
                "CPU",
                "terraform",
                "provider",
                "its Helms",
                "peak: terraform",
                "provider",
                "Helm",
                "wall × floor",
                "CPU × floor",
                "wall × helm_release",
                "CPU × helm_release",
            ];
            let lines: Vec<_> = self.rows.iter().map(|row| self.line(row)).collect();
            text.push('\n');
            text.push_str(&table(&head, &lines));
        }
        text
    }

    fn line(&self, row: &Row) -> [String; 15] {
        let cost = &row.cost;
        let wall = |cost: &Cost| cost.wall;
        let ratio = |side, figure: fn(&Cost) -> Duration| {
            let other = self.beside(row, side).map(|other| figure(other).as_secs_f64());
            other.map(|other| format!("{:.2}", figure(cost).as_secs_f64() / other)).unwrap_or_default()
        };
        [
            row.what.clone(),
            row.side.name().to_owned(),
            row.runs.to_string(),
            seconds(cost.wall),
            seconds(cost.processor()),
            seconds(cost.terraform),
            seconds(cost.provider),
            seconds(cost.helm),
            megabytes(cost.terraform_peak),
            megabytes(cost.provider_peak),
            megabytes(cost.helm_peak),
            ratio(Side::Floor, wall),
            ratio(Side::Floor, Cost::processor),
            ratio(Side::HelmProvider, wall),
            ratio(Side::HelmProvider, Cost::processor),
        ]
    }

    /// The same in seconds and kilobytes, without the ratios.
    pub(super) fn json(&self) -> Json {
        let about: serde_json::Map<String, Json> =
            self.about.iter().map(|(name, what)| ((*name).to_owned(), what.clone().into())).collect();
        let rows: Vec<Json> = self.rows.iter().map(Row::json).collect();
        let start = self
            .start
            .as_ref()
            .map(|start| json!({ "schema_seconds": start.schema.as_secs_f64(), "resident_kilobytes": start.resident }));
        json!({ "about": about, "start": start, "measured": rows })
    }
}

impl Row {
    fn json(&self) -> Json {
        let cost = &self.cost;
        json!({
            "what": self.what,
            "of": self.side.name(),
            "runs": self.runs,
            "wall_seconds": cost.wall.as_secs_f64(),
            "processor_seconds": {
                "all": cost.processor().as_secs_f64(),
                "terraform": cost.terraform.as_secs_f64(),
                "provider": cost.provider.as_secs_f64(),
                "helm": cost.helm.as_secs_f64(),
            },
            "peak_kilobytes": {
                "terraform": cost.terraform_peak,
                "provider": cost.provider_peak,
                "helm": cost.helm_peak,
            },
        })
    }
}

/// A table in Markdown whose columns stand below each other. A column without any figure is left out.
fn table<const COLUMNS: usize>(head: &[&str; COLUMNS], lines: &[[String; COLUMNS]]) -> String {
    let columns: Vec<usize> =
        (0..COLUMNS).filter(|&column| lines.iter().any(|line| !line[column].is_empty())).collect();
    let widths = columns.iter().map(|&column| {
        let cells = lines.iter().map(|line| line[column].as_str()).chain([head[column]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default().max(3)
    });
    let widths: Vec<usize> = widths.collect();
    let written = |line: &dyn Fn(usize) -> String| {
        let cells = columns.iter().zip(&widths).map(|(&column, &width)| format!(" {:width$} |", line(column)));
        format!("|{}\n", cells.collect::<String>())
    };
    let mut text = written(&|column| head[column].to_owned());
    let rules: String = widths.iter().map(|width| format!("{}|", "-".repeat(width + 2))).collect();
    text.push_str(&format!("|{rules}\n"));
    for line in lines {
        text.push_str(&written(&|column| line[column].clone()));
    }
    text
}

fn seconds(time: Duration) -> String {
    if time.is_zero() { String::new() } else { format!("{:.2} s", time.as_secs_f64()) }
}

/// A megabyte has 1,024 kilobytes here, as in the kernel's own tools.
fn megabytes(kilobytes: u64) -> String {
    if kilobytes == 0 { String::new() } else { format!("{}.{} MB", kilobytes / 1024, kilobytes % 1024 * 10 / 1024) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let cost = |wall: u64, provider: u64| Cost {
            wall: Duration::from_millis(wall),
            terraform: Duration::from_millis(wall),
            provider: Duration::from_millis(provider),
            provider_peak: if provider == 0 { 0 } else { 1536 },
            ..Cost::default()
        };
        let rows = vec![
            Row::new("plan", Side::Floor, &[cost(200, 0)]),
            Row::new("plan", Side::Ours, &[cost(500, 100)]),
            Row::new("apply", Side::Ours, &[cost(900, 100)]),
        ];
        Report { about: vec![("processors", "2".to_owned())], start: None, rows }
    }

    #[test]
    fn ratios_are_of_what_was_measured_together() {
        let report = report();
        let line = |index: usize| report.line(&report.rows[index]).join("|");
        assert_eq!(line(0), "plan|terraform_data|1|0.20 s|0.20 s|0.20 s|||||||||");
        assert_eq!(line(1), "plan|ffe_release|1|0.50 s|0.60 s|0.50 s|0.10 s|||1.5 MB||2.50|3.00||");
        assert_eq!(line(2), "apply|ffe_release|1|0.90 s|1.00 s|0.90 s|0.10 s|||1.5 MB|||||");
    }

    #[test]
    fn columns_stand_below_each_other() {
        let lines = [["a", "", "0.50 s"], ["long name", "", "1.50 s"]].map(|line| line.map(str::to_owned));
        let text = table(&["x", "nothing", "×"], &lines);
        let expected =
            "| x         | ×      |\n|-----------|--------|\n| a         | 0.50 s |\n| long name | 1.50 s |\n";
        assert_eq!(text, expected);
        assert_eq!(report().json()["measured"][1]["processor_seconds"]["all"], 0.6);
    }
}
