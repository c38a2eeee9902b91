//! Rows of a file, from which the fields of requests are filled in: `{users.id}`.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::random::Stream;
use crate::record::carried;
use crate::words::words;

/// Bytes of a file: all of it is held in memory, and its cells are counted with 32 bits.
pub const TABLE_BYTES_MAX: u64 = 256 << 20;
/// Sets the rows that are drawn apart from other draws of a request.
const ROWS: u64 = 1 << 33;

words! {
    "way to pick a row"
    /// Which row a request gets. All its fields of one table are of one row.
    #[derive(Default, serde::Serialize)]
    pub enum Pick {
        /// Row k of the k-th request, and after the last the first again.
        #[default]
        Sequence = "sequence",
        /// Any, each as likely.
        Random = "random",
    }
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// With names in the first line (RFC 4180).
    Csv,
    /// An object a line, with the same fields.
    JsonLines,
}

/// A named file of rows.
#[derive(PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Table {
    pub name: String,
    pick: Pick,
    columns: Vec<String>,
    rows: u64,
    #[serde(with = "carried::bytes")]
    bytes: Vec<u8>,
    /// Where each cell ends in `bytes`, row by row.
    ends: Vec<u32>,
    digest: String,
}

/// The digest and not the rows: a scenario's fingerprint is made of what this prints.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({}, {:?}, {})", self.name, self.pick, self.digest)
    }
}

impl Table {
    /// # Errors
    /// Which line is wrong, or that there is no row.
    pub fn read(name: &str, text: &str, format: Format, pick: Pick) -> Result<Self, String> {
        let digest =
            Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name = name.to_owned();
        let (columns, rows, bytes, ends) = (Vec::new(), 0, Vec::new(), Vec::new());
        let mut table = Self { name, pick, columns, rows, bytes, ends, digest };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match format {
            Format::Csv => table.csv(text)?,
            Format::JsonLines => table.json_lines(text)?,
        }
        match table.rows {
            0 => Err("it has no row".into()),
            _ => Ok(table),
        }
    }

    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The cell of the request `k`, whose draws these are.
    pub(super) fn cell(&self, column: usize, k: u64, draws: Stream) -> &[u8] {
        let row = match self.pick {
            Pick::Sequence => k % self.rows,
            Pick::Random => draws.child(ROWS).below(0, self.rows),
        };
        self.at(row as usize * self.columns.len() + column)
    }

    /// All cells of a column.
    pub(super) fn cells(&self, column: usize) -> impl Iterator<Item = &[u8]> {
        (column..self.ends.len()).step_by(self.columns.len()).map(|place| self.at(place))
    }

    fn at(&self, place: usize) -> &[u8] {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.bytes[start..self.ends[place] as usize]
    }

    fn push(&mut self, cell: &str) {
        self.bytes.extend_from_slice(cell.as_bytes());
        self.ends.push(self.bytes.len() as u32);
    }

    fn csv(&mut self, text: &str) -> Result<(), String> {
        let (mut rest, mut line) = (text, 1);
        while !rest.is_empty() {
            let (record, after) = record(rest).map_err(|why| format!("line {line}: {why}"))?;
            let blank = record.len() == 1 && record[0].is_empty();
            if self.columns.is_empty() {
                self.columns = record;
            } else if !blank {
                if record.len() != self.columns.len() {
                    let (has, wants) = (record.len(), self.columns.len());
                    return Err(format!(
                        "line {line}: {has} fields, and the first line names {wants}"
                    ));
                }
                record.iter().for_each(|cell| self.push(cell));
                self.rows += 1;
            }
            line += rest[..rest.len() - after.len()].matches('\n').count();
            rest = after;
        }
        Ok(())
    }

    fn json_lines(&mut self, text: &str) -> Result<(), String> {
        for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(text).map_err(|_| format!("line {line}: no JSON object"))?;
            if self.columns.is_empty() {
                self.columns = object.keys().cloned().collect();
            }
            for column in self.columns.clone() {
                match object.get(&column) {
                    Some(serde_json::Value::String(text)) => self.push(text),
                    Some(value) => self.push(&value.to_string()),
                    None => return Err(format!("line {line}: it has no `{column}`")),
                }
            }
            self.rows += 1;
        }
        Ok(())
    }
}

/// The fields of the first record, and what follows it.
fn record(text: &str) -> Result<(Vec<String>, &str), String> {
    let (mut fields, mut rest) = (Vec::new(), text);
    loop {
        let mut field = String::new();
        rest = match rest.strip_prefix('"') {
            Some(mut quoted) => loop {
                let (part, after) = quoted.split_once('"').ok_or("a quote has no end")?;
                field.push_str(part);
                match after.strip_prefix('"') {
                    Some(more) => (field.push('"'), quoted = more).1,
                    None => break after,
                }
            },
            None => {
                let end = rest.find([',', '\n']).unwrap_or(rest.len());
                let plain = &rest[..end];
                let last = !rest[end..].starts_with(',');
                field.push_str(if last {
                    plain.strip_suffix('\r').unwrap_or(plain)
                } else {
                    plain
                });
                &rest[end..]
            }
        };
        fields.push(field);
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => {
                let after = rest.strip_prefix('\r').unwrap_or(rest);
                return match after.strip_prefix('\n') {
                    Some(after) => Ok((fields, after)),
                    None if after.is_empty() => Ok((fields, after)),
                    None => Err("text follows a quoted field".into()),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(table: &Table, column: &str) -> Vec<String> {
        let column = table.column(column).unwrap();
        table.cells(column).map(|cell| String::from_utf8(cell.to_vec()).unwrap()).collect()
    }

    #[test]
    fn csv_is_read_with_its_quotes() {
        let text = "\u{feff}id,name\r\n1,Ann\r\n2,\"O\"\"Neil, Bob\"\n\n3,\"two\nlines\"\n4,";
        let table = Table::read("users", text, Format::Csv, Pick::Sequence).unwrap();
        assert_eq!(cells(&table, "id"), ["1", "2", "3", "4"]);
        assert_eq!(cells(&table, "name"), ["Ann", "O\"Neil, Bob", "two\nlines", ""]);
        let told = |text: &str| Table::read("x", text, Format::Csv, Pick::Random).unwrap_err();
        assert!(told("a,b\n1,2\n3\n").starts_with("line 3: 1 fields"), "{}", told("a,b\n1,2\n3\n"));
        assert!(told("a\n\"x\n").contains("no end") && told("a\n").contains("no row"));
    }

    #[test]
    fn json_lines_are_read() {
        let text =
            "\u{feff}{\"id\":1,\"name\":\"Ann\"}\n\n{\"name\":\"Bob\",\"id\":2,\"more\":[]}\n";
        let table = Table::read("users", text, Format::JsonLines, Pick::Sequence).unwrap();
        assert_eq!(
            (cells(&table, "id"), cells(&table, "name")),
            (vec!["1".into(), "2".into()], vec!["Ann".into(), "Bob".into()])
        );
        let told =
            Table::read("x", "{\"a\":1}\n{\"b\":1}", Format::JsonLines, Pick::Random).unwrap_err();
        assert_eq!(told, "line 2: it has no `a`");
    }

    #[test]
    fn a_request_has_one_row_by_its_number_or_its_draws() {
        let text: String = (0..100).map(|n| format!("{n},{n}\n")).collect();
        let of = |pick| Table::read("t", &format!("a,b\n{text}"), Format::Csv, pick).unwrap();
        let (sequence, random) = (of(Pick::Sequence), of(Pick::Random));
        let draws = |k| Stream::of(7).child(k);
        assert_eq!(
            [0, 1, 99, 100].map(|k| sequence.cell(0, k, draws(k)).to_vec()),
            [b"0".to_vec(), b"1".to_vec(), b"99".to_vec(), b"0".to_vec()]
        );
        let mut drawn: Vec<Vec<u8>> =
            (0..1_000).map(|k| random.cell(0, k, draws(k)).to_vec()).collect();
        assert!((0..1_000).all(|k| random.cell(0, k, draws(k)) == random.cell(1, k, draws(k))));
        drawn.sort_unstable();
        drawn.dedup();
        assert!(drawn.len() > 95, "{}", drawn.len());
    }
}
