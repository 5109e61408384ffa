//! Data goes to stdout: JSON for programs, quiet tables for people. Talk goes to stderr.

use crate::failure::{Done, Failure};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::Value;
use std::io::{self, Write};

/// Prints to stdout; a reader that went away (`| head`) is no error.
pub fn print(text: &str) -> Done {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::because("cannot write the answer", &error))
        }
        _ => Ok(()),
    }
}

/// Says something to the person, on stderr.
pub fn say(text: impl AsRef<str>) {
    writeln!(io::stderr().lock(), "{}", text.as_ref()).ok();
}

pub fn print_json(value: &Value) -> Done {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::because("cannot write JSON", &error))?;
    print(&text)
}

/// A table without lines: a heading, and rows that are aligned below it.
pub struct Rows {
    table: Table,
    empty: &'static str,
}

impl Rows {
    /// `empty`: what to say when there are no rows.
    pub fn new<const N: usize>(headings: [&str; N], empty: &'static str) -> Self {
        let mut table = bare();
        table.set_header(headings.map(str::to_uppercase));
        Self { table, empty }
    }

    /// One thing's properties: a name and a value each.
    pub fn without_headings() -> Self {
        Self { table: bare(), empty: "" }
    }

    /// Numbers stand at the right.
    #[must_use]
    pub fn right(mut self, columns: &[usize]) -> Self {
        for index in columns {
            if let Some(column) = self.table.column_mut(*index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.table.add_row(cells);
    }

    pub fn print(mut self) -> Done {
        if self.table.row_count() == 0 {
            say(self.empty);
            return Ok(());
        }
        for column in self.table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let lines: Vec<String> = self.table.lines().map(|line| line.trim_end().to_owned()).collect();
        print(&lines.join("\n"))
    }
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// How long ago an RFC 3339 time was, in words.
pub fn age(at: &str) -> String {
    match at.parse::<jiff::Timestamp>() {
        Ok(then) => age_words(jiff::Timestamp::now().as_second() - then.as_second()),
        Err(_) => at.to_owned(),
    }
}

fn age_words(seconds: i64) -> String {
    let of = |count: i64, word: &str| format!("{count} {word}{} ago", if count == 1 { "" } else { "s" });
    match seconds {
        ..=59 => "just now".to_owned(),
        60..=3599 => of(seconds / 60, "minute"),
        3600..=86_399 => of(seconds / 3600, "hour"),
        86_400..=5_183_999 => of(seconds / 86_400, "day"),
        5_184_000..=63_071_999 => of(seconds / 2_592_000, "month"),
        _ => of(seconds / 31_536_000, "year"),
    }
}

/// Bytes as people write them: `1.2 GiB`.
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// A cell for what may be missing.
pub fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

/// A word of the API, as its enum writes it.
pub fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word.replace('_', " "),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_in_words() {
        assert_eq!(age_words(-5), "just now");
        assert_eq!(age_words(61), "1 minute ago");
        assert_eq!(age_words(7200), "2 hours ago");
        assert_eq!(age_words(90 * 86_400), "3 months ago");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(3 << 29), "1.5 GiB");
    }
}
