//! Colour for people: only on a terminal, and not where `NO_COLOR` is set (no-color.org).

use std::io::IsTerminal;

/// Escape sequences, or nothing.
#[derive(Clone, Copy)]
pub struct Paint {
    on: bool,
}

impl Paint {
    pub fn of_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let able = std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        Self { on: wanted && able && std::io::stdout().is_terminal() }
    }

    #[cfg(test)]
    pub const fn off() -> Self {
        Self { on: false }
    }

    pub fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A cell: what is seen, and how it is painted.
pub struct Cell {
    pub text: String,
    pub style: Style,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Good,
    Dim,
    Bold,
}

impl Cell {
    pub fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }

    pub fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Style::Plain)
    }
}

/// Rows below their headings, aligned by what is seen; `right` are the columns of numbers.
pub fn table<const N: usize>(
    paint: Paint,
    headings: [&str; N],
    rows: &[[Cell; N]],
    right: &[usize],
    indent: &str,
) -> String {
    let seen = |text: &str| text.chars().count();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| seen(&cell.text)).max().unwrap_or(0);
        cells.max(headings.get(column).map_or(0, |heading| seen(heading)))
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |cells: Vec<(usize, &str, String)>| {
        let mut line = indent.to_owned();
        for (column, text, painted) in cells {
            let gap = " ".repeat(widths.get(column).map_or(0, |width| width.saturating_sub(seen(text))));
            let (before, after) = if right.contains(&column) { (gap, String::new()) } else { (String::new(), gap) };
            line.extend([before.as_str(), painted.as_str(), after.as_str()]);
            if column + 1 < N {
                line.push_str("  ");
            }
        }
        line.trim_end().to_owned()
    };
    let heads: Vec<String> = headings.iter().map(|heading| heading.to_uppercase()).collect();
    let mut lines =
        vec![line(heads.iter().enumerate().map(|(column, head)| (column, head.as_str(), paint.dim(head))).collect())];
    lines.extend(rows.iter().map(|row| {
        line(row.iter().enumerate().map(|(column, cell)| (column, cell.text.as_str(), painted(paint, cell))).collect())
    }));
    lines.join("\n")
}

fn painted(paint: Paint, cell: &Cell) -> String {
    match cell.style {
        Style::Plain => cell.text.clone(),
        Style::Good => paint.good(&cell.text),
        Style::Dim => paint.dim(&cell.text),
        Style::Bold => paint.bold(&cell.text),
    }
}

/// Lines of at most so many characters where words allow it: the first behind `start`, the others behind as much room.
pub fn wrap(start: &str, words: &str, most: usize) -> String {
    let indent = " ".repeat(start.chars().count());
    let mut lines: Vec<String> = Vec::new();
    let mut line = start.to_owned();
    let mut fresh = true;
    for word in words.split_whitespace() {
        if !fresh && line.chars().count() + 1 + word.chars().count() > most {
            lines.push(std::mem::replace(&mut line, indent.clone()));
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    lines.push(line);
    lines.join("\n")
}
