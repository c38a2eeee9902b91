//! What a person reads, as a value without a format. A report is described once, and [`super::terminal`],
//! [`super::markdown`] and [`super::html`] each write any description.

use std::ops::Range;

use super::charts::Picture;
use super::format::number;

/// One report. Its text may come from a file: the writers make it harmless.
#[derive(Default)]
pub(crate) struct Document<'p> {
    pub(crate) title: String,
    /// `PASS`, and what it means.
    pub(crate) verdict: Option<(&'static str, String)>,
    /// What a bar across a page warns of.
    pub(crate) alarm: Option<&'static str>,
    /// Lines that a person could repeat, the most important first.
    pub(crate) answer: Vec<String>,
    /// What stands below the answer in every format.
    pub(crate) blocks: Vec<Element<'p>>,
    /// What folds on a page and is left out of a short text.
    pub(crate) sections: Vec<Section<'p>>,
    /// For a terminal: where the rest is.
    pub(crate) files: Option<String>,
}

pub(crate) struct Section<'p> {
    pub(crate) heading: &'static str,
    pub(crate) blocks: Vec<Element<'p>>,
}

pub(crate) enum Element<'p> {
    Text(String),
    /// With a heading, unless that is empty.
    List(&'static str, Vec<String>),
    Table(Table),
    /// What is shown, and where it leads; an address that ends in `/` is the report in that folder.
    Links(String, Vec<(String, String)>),
    /// Not in a text; in Markdown only if it is `in_summary`.
    Figure {
        heading: &'static str,
        picture: &'p Picture<'p>,
        in_summary: bool,
    },
    Code(String),
    /// JSON inside a page, which saves it as `result.json`.
    Data(String),
}

impl<'p> Document<'p> {
    /// Adds a list, unless it is empty.
    pub(crate) fn add_list(&mut self, heading: &'static str, lines: Vec<String>) {
        if !lines.is_empty() {
            self.blocks.push(Element::List(heading, lines));
        }
    }

    /// Adds a section, unless it is empty.
    pub(crate) fn fold(&mut self, heading: &'static str, blocks: Vec<Element<'p>>) {
        let empty =
            |block: &Element<'_>| matches!(block, Element::List(_, lines) if lines.is_empty());
        let blocks: Vec<Element<'p>> = blocks.into_iter().filter(|block| !empty(block)).collect();
        if !blocks.is_empty() {
            self.sections.push(Section { heading, blocks });
        }
    }
}

/// Rows under a head, all of the same width.
pub(crate) struct Table {
    /// `Payment at 4,000/s`; may be empty.
    pub(crate) heading: String,
    pub(crate) columns: Vec<String>,
    /// Columns of numbers, which stand to the right.
    pub(crate) numbers: Range<usize>,
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) notes: Vec<String>,
}

impl Table {
    /// A unit that all cells of a column of numbers have, or could have, is moved into its head.
    pub(crate) fn new<'c>(
        heading: impl Into<String>,
        columns: impl IntoIterator<Item = &'c str>,
        numbers: Range<usize>,
        rows: impl IntoIterator<Item = impl Into<Vec<String>>>,
    ) -> Self {
        let columns = columns.into_iter().map(str::to_owned).collect();
        let rows = rows.into_iter().map(Into::into).collect();
        let mut table = Self { heading: heading.into(), columns, numbers, rows, notes: Vec::new() };
        table.lift_units();
        table
    }

    pub(crate) fn noted(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// In one unit for all columns of a quantity where that is possible, else in one for each column.
    fn lift_units(&mut self) {
        for family in 0..FAMILIES.len() {
            let columns: Vec<usize> =
                self.numbers.clone().filter(|it| self.family(*it) == Some(family)).collect();
            match self.unit(family, &columns) {
                Some(unit) => columns.into_iter().for_each(|column| self.lift(column, unit)),
                None => columns.into_iter().for_each(|column| {
                    self.unit(family, &[column])
                        .into_iter()
                        .for_each(|unit| self.lift(column, unit));
                }),
            }
        }
    }

    fn cells(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().map(move |row| row[column].as_str())
    }

    /// The quantity that all figures of a column are of.
    fn family(&self, column: usize) -> Option<usize> {
        let figures = self.cells(column).filter(|it| it.contains(|c: char| c.is_ascii_digit()));
        let mut families = figures.map(|cell| Measure::of(cell).map(|measure| measure.family));
        let first = families.next()?;
        first.filter(|_| families.all(|family| family == first))
    }

    /// The smallest of the cells' own units, or the next in which no figure has too many digits.
    fn unit(&self, family: usize, columns: &[usize]) -> Option<NamedUnit> {
        let cells = columns.iter().flat_map(|column| self.cells(*column));
        let measures: Vec<Measure<'_>> =
            cells.filter_map(Measure::of).filter(|one| one.value != 0.0).collect();
        let least = measures.iter().map(|one| one.value.abs()).fold(f64::MAX, f64::min);
        let most = measures.iter().map(|one| one.value.abs()).fold(0.0, f64::max);
        let own = measures.iter().map(|one| one.scale).fold(f64::MAX, f64::min);
        let fits = |(_, scale): &&NamedUnit| {
            (*scale >= own || own == f64::MAX) && most < 99_950.0 * scale && least >= 0.0095 * scale
        };
        FAMILIES[family].iter().find(fits).copied()
    }

    fn lift(&mut self, column: usize, (unit, scale): NamedUnit) {
        for row in &mut self.rows {
            if let Some(measure) = Measure::of(&row[column]) {
                row[column] = measure.shown(scale);
            }
        }
        self.columns[column] = format!("{} {unit}", self.columns[column]).trim_start().to_owned();
    }
}

/// Its name, and how many of the smallest of its family it is.
type NamedUnit = (&'static str, f64);

/// Units of the same quantity.
const FAMILIES: [&[NamedUnit]; 3] = [
    &[("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)],
    &[("KiB", 1.0), ("MiB", 1024.0), ("GiB", 1024.0 * 1024.0)],
    &[("%", 1.0)],
];

/// A cell such as `<= 812 us*`: a number with what stands around it.
struct Measure<'c> {
    before: &'c str,
    text: &'c str,
    /// In the smallest unit of its family.
    value: f64,
    scale: f64,
    family: usize,
    mark: &'c str,
}

impl<'c> Measure<'c> {
    fn of(cell: &'c str) -> Option<Self> {
        let start = cell.find(|c: char| c.is_ascii_digit())?;
        let start = if cell[..start].ends_with('-') { start - 1 } else { start };
        let (before, rest) = cell.split_at(start);
        let (text, unit) = rest.split_once(' ')?;
        let mark = if unit.ends_with('*') { "*" } else { "" };
        let unit = unit.trim_end_matches('*');
        let number: f64 = text.replace(',', "").parse().ok()?;
        let units = (0..).zip(FAMILIES).flat_map(|(n, units)| units.iter().map(move |it| (n, it)));
        let (family, &(_, scale)) = units.into_iter().find(|(_, (name, _))| *name == unit)?;
        let known = matches!(before, "" | "+" | "<= " | ">= ");
        known.then_some(Self { before, text, value: number * scale, scale, family, mark })
    }

    /// In units of this scale; as it was where that is its own.
    fn shown(&self, scale: f64) -> String {
        let number = match scale == self.scale {
            true => self.text.to_owned(),
            false => number(self.value / scale),
        };
        format!("{}{number}{}", self.before, self.mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head and the cells of a column.
    fn column(cells: &[&str]) -> (String, Vec<String>) {
        let rows = cells.iter().map(|cell| vec!["x".to_owned(), (*cell).to_owned()]);
        let table = Table::new("", ["name", "p99"], 1..2, rows);
        (table.columns[1].clone(), table.rows.iter().map(|row| row[1].clone()).collect())
    }

    #[test]
    fn a_unit_that_a_column_shares_stands_in_its_head() {
        let same = |cells: &[&str]| cells.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>();
        for (cells, head, shown) in [
            (&["81.1 us", "280 us"][..], "p99 us", &["81.1", "280"][..]),
            (&["812 us*", "1.25 ms", "-"], "p99 us", &["812*", "1,250", "-"]),
            (&["<= 900 us", ">= 5 s", "lost"], "p99 ms", &["<= 0.9", ">= 5,000", "lost"]),
            (&["24.4 MiB", "1.2 GiB"], "p99 MiB", &["24.4", "1,229"]),
            (&["+24 %", "-3 %", "-"], "p99 %", &["+24", "-3", "-"]),
            (&["0 ns", "12 ms"], "p99 ms", &["0", "12"]),
        ] {
            assert_eq!(column(cells), (head.to_owned(), same(shown)));
        }
        let rows =
            [["a", "20 us", "1.5 ms"], ["b", "8 ms", "0 ns"]].map(|row| row.map(String::from));
        let table = Table::new("", ["name", "p50", "p99"], 1..3, rows);
        assert_eq!(table.columns[1..], ["p50 us", "p99 us"], "one unit for both");
        assert_eq!(table.rows.concat()[1..3], ["20", "1,500"]);
        for mixed in
            [&["81 us", "3 MiB"][..], &["81 us", "7"], &["1 ns", "9 s"], &["none"], &["4,000", "3"]]
        {
            assert_eq!(column(mixed), ("p99".to_owned(), same(mixed)), "left alone");
        }
    }
}
