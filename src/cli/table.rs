//! Tables that fit a terminal.

use crate::secret::printable;

/// What stands where text was cut off.
const CUT: char = '…';

/// No column gets narrower than this, in characters.
const NARROWEST: usize = 4;

/// Between two columns.
const GAP: &str = "  ";

/// Rows under headings. The first column is never cut: it is what other commands take.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
    /// The columns that are cut first, because they are long and their beginning says the most.
    long: &'static [usize],
}

impl<const N: usize> Table<N> {
    pub(super) fn new(headings: [&str; N], long: &'static [usize]) -> Self {
        Self {
            rows: vec![headings.map(str::to_owned)],
            long,
        }
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| printable(&cell)));
    }

    /// The table, the headings first, in lines of at most `width` characters where the first column and a few characters
    /// of each other one leave room for that.
    pub(super) fn lines(&self, width: usize) -> impl Iterator<Item = String> {
        let widths = self.widths(width);
        self.rows.iter().map(move |row| {
            let mut line = String::new();
            for (cell, &width) in row.iter().zip(&widths) {
                let cell = cut(cell, width);
                let pad = width.saturating_sub(cell.chars().count());
                line.push_str(&cell);
                line.extend(std::iter::repeat_n(' ', pad));
                line.push_str(GAP);
            }
            line.trim_end().to_owned()
        })
    }

    /// All lines as one text.
    pub(super) fn render(&self, width: usize) -> String {
        self.lines(width).map(|line| line + "\n").collect()
    }

    /// Takes from the widest column until all fit: from the long ones, and then from all but the first.
    fn widths(&self, width: usize) -> [usize; N] {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let gaps = GAP.len() * N.saturating_sub(1);
        let is_long = |column: &usize| self.long.contains(column);
        let is_any = |_: &usize| true;
        for may_give in [&is_long as &dyn Fn(&usize) -> bool, &is_any] {
            while widths.iter().sum::<usize>() + gaps > width {
                let columns = widths.iter_mut().enumerate().skip(1);
                let widest = columns
                    .filter(|(column, _)| may_give(column))
                    .max_by_key(|(_, width)| **width);
                match widest {
                    Some((_, widest)) if *widest > NARROWEST => *widest -= 1,
                    _ => break,
                }
            }
        }
        widths
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars()
        .take(width.saturating_sub(1))
        .chain([CUT])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_widest_column_gives_way() {
        let mut table = Table::new(["ID", "STREAM", "URL"], &[2]);
        table.row([
            "r-1".into(),
            "cam".into(),
            "rtmp://a.example/live/***".into(),
        ]);
        table.row(["r-22".into(), "cam-*".into(), "rtmp://b/x/***".into()]);
        assert_eq!(
            table.render(80),
            "ID    STREAM  URL\n\
             r-1   cam     rtmp://a.example/live/***\n\
             r-22  cam-*   rtmp://b/x/***\n"
        );
        assert_eq!(
            table.render(30),
            "ID    STREAM  URL\n\
             r-1   cam     rtmp://a.exampl…\n\
             r-22  cam-*   rtmp://b/x/***\n"
        );
    }

    #[test]
    fn a_name_cannot_drive_the_terminal() {
        let mut table = Table::new(["A"], &[]);
        table.row(["a\x1b[2J\nb".into()]);
        assert_eq!(table.render(80), "A\na\u{fffd}[2J\u{fffd}b\n");
    }

    proptest! {
        #[test]
        fn lines_fit(rows in proptest::collection::vec(("[a-z]{0,10}", "\\PC{0,60}", "\\PC{0,60}"), 0..5), width in 22..120_usize) {
            let mut table = Table::new(["FIRST", "SECOND", "THIRD"], &[2]);
            for (a, b, c) in rows {
                table.row([a, b, c]);
            }
            for line in table.render(width).lines() {
                prop_assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}
