//! The part of a file that names rows: `[data.users]`.

use std::path::Path;
use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::quantity::At;
use super::raw::{Raw, RawData};
use crate::files;
use crate::load::plan::{Format, TABLE_BYTES_MAX, Table};

/// The tables of a file, read.
pub(super) fn tables(raw: &Raw, folder: &Path) -> Result<Vec<Arc<Table>>, Diagnostic> {
    raw.data.iter().map(|(name, data)| table(name, data, folder).map(Arc::new)).collect()
}

fn table(name: &At<String>, data: &At<RawData>, folder: &Path) -> Result<Table, Diagnostic> {
    let is_name =
        |text: &str| text.starts_with(|c: char| c.is_ascii_lowercase()) && !text.contains('.');
    if !is_name(&name.value) {
        let title = "a name of data begins with a lower-case letter and has no dot";
        return Err(Diagnostic::new(&name.span, title, "not a name"));
    }
    let RawData { csv, jsonl, pick } = &data.value;
    let (at, format) = match (csv, jsonl) {
        (Some(at), None) => (at, Format::Csv),
        (None, Some(at)) => (at, Format::JsonLines),
        (None, None) => {
            let title = format!("`data.{}` has no file", name.value);
            return Err(Diagnostic::new(&data.span, title, "needs `csv` or `jsonl`")
                .help("write for example: csv = \"users.csv\""));
        }
        (Some(_), Some(at)) => {
            return Err(Diagnostic::new(
                &at.span,
                "data has a `csv` or a `jsonl`, not both",
                "and a `csv`",
            ));
        }
    };
    let shown = at.value.escape_debug();
    let text = files::read(&folder.join(&at.value), TABLE_BYTES_MAX).map_err(|error| {
        Diagnostic::new(&at.span, format!("cannot read {shown}: {error}"), "the rows")
            .help("a relative path is taken from the scenario's folder")
    })?;
    let text = String::from_utf8(text)
        .map_err(|_| Diagnostic::new(&at.span, format!("{shown} is not UTF-8"), "the rows"))?;
    Table::read(&name.value, &text, format, pick.unwrap_or_default())
        .map_err(|why| Diagnostic::new(&at.span, format!("{shown}: {why}"), "the rows"))
}

#[cfg(test)]
mod tests {
    use crate::scenario::parse;

    #[test]
    fn rows_fill_in_routes_and_mistakes_are_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("users.csv"), "id,token\n1,a b\n2,c\n").unwrap();
        let file = folder.path().join("a.toml").display().to_string();
        let of = |data: &str, path: &str, check: &str| {
            let text = format!(
                "schema = 1\nname = \"a\"\ntitle = \"A\"\nworkload = \"http\"\n{data}\n\
                 experiment.compare.rates = [\"9/s\"]\n[[route]]\nname = \"r\"\npath = \"{path}\"\n\
                 headers = {{ authorization = \"Bearer {{users.token}}\" }}\nexpect_body = \"{check}\"\n\
                 [contender.a]\nurl = \"http://127.0.0.1:1\"\n"
            );
            parse(&file, &text).map_err(|error| error.to_string())
        };
        let users = "data.users.csv = \"users.csv\"";
        let right = "json:/ok=true";
        of(users, "/u/{users.id}", right).unwrap();
        for (data, path, check, told) in [
            (users, "/u/{users.name}", right, "`users` has no column `name`"),
            (users, "/u/{user.id}", right, "there is no [data.user]"),
            (users, "/u/{users.token}", right, "path"),
            (users, "/", "json:ok", "is not a check of a body"),
            ("data.users.csv = \"none.csv\"", "/", right, "cannot read none.csv"),
            ("data.users.pick = \"random\"", "/", right, "has no file"),
        ] {
            let error = of(data, path, check).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
