//! Tables of text that fit the terminal: columns that may, give way.

use anstyle::Style;

use crate::output::HEADING;

/// Between columns.
const GAP: &str = "  ";

/// How a column is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// What stands above it.
    pub(crate) title: &'static str,
    /// On which side its cells stand.
    pub(crate) side: Side,
    /// How narrow it may become in characters, if it may.
    pub(crate) narrowest: Option<usize>,
}

/// Where a cell stands in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// At the left, as text does.
    Left,
    /// At the right, as numbers do.
    Right,
}

/// One cell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

/// Rows of cells, one cell per column.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Column {
    /// A column of text that is always shown whole.
    pub(crate) const fn text(title: &'static str) -> Column {
        Column {
            title,
            side: Side::Left,
            narrowest: None,
        }
    }

    /// A column of numbers.
    pub(crate) const fn number(title: &'static str) -> Column {
        Column {
            title,
            side: Side::Right,
            narrowest: None,
        }
    }

    /// A column of text that may be cut down to so many characters.
    pub(crate) const fn flexible(title: &'static str, narrowest: usize) -> Column {
        Column {
            title,
            side: Side::Left,
            narrowest: Some(narrowest),
        }
    }
}

impl Cell {
    /// Text in a style of its own.
    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Cell {
        Cell {
            text: one_line(&text.into()),
            style,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::styled(text, Style::new())
    }
}

impl Table {
    pub(crate) fn new(columns: Vec<Column>) -> Table {
        Table {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it has more or fewer cells than there are columns.
    pub(crate) fn push(&mut self, row: Vec<Cell>) {
        assert_eq!(row.len(), self.columns.len(), "a row has a cell for each column");
        self.rows.push(row);
    }

    /// The table as lines, none longer than `width` if the columns that may give way suffice for that.
    pub(crate) fn render(&self, width: Option<usize>) -> String {
        let widths = self.widths(width);
        let mut text = String::new();
        let titles: Vec<Cell> = self
            .columns
            .iter()
            .map(|column| Cell::styled(column.title, HEADING))
            .collect();
        for row in std::iter::once(&titles).chain(&self.rows) {
            self.line(row, &widths, &mut text);
        }
        text
    }

    fn widths(&self, width: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let cells = self.rows.iter().map(|row| row[index].text.chars().count());
                cells
                    .chain([column.title.chars().count()])
                    .max()
                    .unwrap_or_default()
            })
            .collect();
        let gaps = GAP.len() * self.columns.len().saturating_sub(1);
        let mut excess = width.map_or(0, |width| {
            (widths.iter().sum::<usize>() + gaps).saturating_sub(width)
        });
        // The last columns give way first: they say the least important things.
        for (width, column) in widths.iter_mut().zip(&self.columns).rev() {
            if let Some(narrowest) = column.narrowest {
                let given = excess.min(width.saturating_sub(narrowest));
                *width -= given;
                excess -= given;
            }
        }
        widths
    }

    fn line(&self, row: &[Cell], widths: &[usize], text: &mut String) {
        let last = row.len().saturating_sub(1);
        for (index, (cell, (width, column))) in row.iter().zip(widths.iter().zip(&self.columns)).enumerate() {
            let shown = cut(&cell.text, *width);
            let padding = " ".repeat(width - shown.chars().count());
            let style = cell.style;
            if column.side == Side::Right {
                text.push_str(&padding);
            }
            *text += &format!("{style}{shown}{style:#}");
            // Nothing follows the last column: lines have no blanks at their ends.
            if index < last {
                if column.side == Side::Left {
                    text.push_str(&padding);
                }
                text.push_str(GAP);
            }
        }
        let end = text.trim_end_matches(' ').len();
        text.truncate(end);
        text.push('\n');
    }
}

/// The text in so many characters, with an ellipsis where something is missing.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…").chars().take(width).collect()
}

/// Names and reasons come from others: control characters must not reach the terminal, nor line ends the table.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn table(rows: &[[&str; 4]]) -> Table {
        let mut table = Table::new(vec![
            Column::text("JOB"),
            Column::flexible("NAME", 6),
            Column::number("RUN"),
            Column::flexible("REASON", 4),
        ]);
        for row in rows {
            table.push(row.iter().map(|text| Cell::from(*text)).collect());
        }
        table
    }

    fn check(rows: &[[&str; 4]], width: Option<usize>, expected: Expect) {
        expected.assert_eq(&anstream::adapter::strip_str(&table(rows).render(width)).to_string());
    }

    const ROWS: [[&str; 4]; 3] = [
        ["5f1c", "align-the-reads", "1m06s", "host killed\nby\u{1b}[2J"],
        ["88aa", "sum", "3ms", ""],
        ["97bb", "naïve-ünïcode", "", "it ended"],
    ];

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        check(
            &ROWS,
            None,
            expect![[r#"
                JOB   NAME               RUN  REASON
                5f1c  align-the-reads  1m06s  host killed by [2J
                88aa  sum                3ms
                97bb  naïve-ünïcode           it ended
            "#]],
        );
    }

    #[test]
    fn the_last_columns_give_way_first() {
        check(
            &ROWS,
            Some(42),
            expect![[r#"
                JOB   NAME               RUN  REASON
                5f1c  align-the-reads  1m06s  host killed…
                88aa  sum                3ms
                97bb  naïve-ünïcode           it ended
            "#]],
        );
        check(
            &ROWS,
            Some(30),
            expect![[r#"
                JOB   NAME           RUN  REA…
                5f1c  align-the-…  1m06s  hos…
                88aa  sum            3ms
                97bb  naïve-ünïc…         it …
            "#]],
        );
    }

    #[test]
    fn without_rows_there_are_titles() {
        check(
            &[],
            Some(80),
            expect![[r#"
            JOB  NAME  RUN  REASON
        "#]],
        );
    }

    proptest! {
        #[test]
        fn lines_fit_when_flexible_columns_suffice(
            rows in prop::collection::vec(["[a-z]{0,6}", "\\PC{0,40}", "[0-9]{0,5}", "\\PC{0,60}"], 0..6),
            width in 33_usize..120,
        ) {
            let mut table = table(&[]);
            for row in rows {
                table.push(row.into_iter().map(Cell::from).collect());
            }
            let text = anstream::adapter::strip_str(&table.render(Some(width))).to_string();
            for line in text.lines() {
                prop_assert!(line.chars().count() <= width, "{line:?}");
            }
        }
    }
}
