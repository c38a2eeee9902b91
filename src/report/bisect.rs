//! A search for people: which version made a metric worse, and the comparisons that say so.

use crate::judge::gate::metric::label;
use crate::judge::gate::sensitivity::signed;
use crate::record::bisect::{Bisection, Compared, Likeness, SearchEnd};
use crate::report::document::{Document, Element, Table};
use crate::report::markdown::write_markdown;
use crate::report::terminal::write_text;
use crate::text::{clean, counted, one_line};
use crate::units::Nanos;

const COLUMNS: [&str; 6] = ["version", "like", "worse by", "at least", "at most", "rounds"];
/// Of a commit's digits.
const COMMIT_DIGITS: usize = 12;
/// What lost rounds are worse by.
const ENDLESS: &str = "more than any figure";

/// For a terminal; `files` says where the report is.
pub(crate) fn text(record: &Bisection, files: String) -> String {
    write_text(&Document { files: Some(files), ..document(record) }, false)
}

/// For a comment on a pull request.
pub(crate) fn markdown(record: &Bisection) -> String {
    write_markdown(&document(record))
}

/// How long so many comparisons take, each with the fewest to the most `rounds`.
pub(crate) fn cost(versions: usize, comparisons: u32, rounds: [u32; 2], round: Nanos) -> String {
    let minutes = rounds.map(|n| (round.as_secs_f64() * f64::from(n * comparisons) / 60.0).ceil());
    format!(
        "{}: at most {}, each of {} to {} rounds of {:.1} s: {} to {} min, builds not counted.",
        counted(versions, "version"),
        counted(comparisons as usize, "comparison"),
        rounds[0],
        rounds[1],
        round.as_secs_f64(),
        minutes[0],
        minutes[1],
    )
}

/// `4a61c2d90f11 is like the last version: +15 % (+11 % to +19 %), 20 rounds`
pub(crate) fn step(record: &Bisection, compared: &Compared) -> String {
    let [name, like, worse, low, high, rounds] = row(record, compared);
    match &compared.why {
        Some(why) => format!("{name} is {like}: {}", one_line(why)),
        None if compared.ratio.is_none() => format!("{name} is {like}: {worse}, {rounds} rounds"),
        None => format!("{name} is {like}: {worse} ({low} to {high}), {rounds} rounds"),
    }
}

fn document(record: &Bisection) -> Document<'static> {
    let metric = label(record.metric, record.request.as_deref());
    let worse = record.ends.as_ref().and_then(|ends| ends.ratio).map(|ratio| signed(ratio - 1.0));
    let worse = worse.unwrap_or_else(|| ENDLESS.into());
    let name = |at: u32| name(record, at as usize);
    let answer = match record.found {
        Some(SearchEnd::Version(at)) => {
            format!("{} made {metric} worse, by {worse} at the last version.", name(at))
        }
        Some(SearchEnd::Range(from, to)) => format!(
            "One or several of {} made {metric} worse: {} to {}. By {worse} at the last version.",
            counted((to - from + 1) as usize, "version"),
            name(from),
            name(to)
        ),
        Some(SearchEnd::Nothing) => {
            format!(
                "{metric} of the last version is not clearly worse: there is nothing to search for."
            )
        }
        None => "The search has not ended.".into(),
    };
    let cells = record.steps.iter().map(|compared| row(record, compared));
    let mut document = Document {
        title: format!("bakeoff bisect: {}", clean(&record.scenario)),
        answer: vec![one_line(&answer)],
        ..Document::default()
    };
    if !record.steps.is_empty() {
        document.blocks.push(Element::Table(Table::new("", COLUMNS, 2..COLUMNS.len(), cells)));
    }
    let why = |compared: &Compared| {
        Some(format!("{}: {}", name(compared.version), compared.why.as_ref()?))
    };
    let why = record.steps.iter().filter_map(why).map(|why| one_line(&why));
    document.blocks.extend(why.map(Element::Text));
    document
}

fn row(record: &Bisection, compared: &Compared) -> [String; 6] {
    let change = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| signed(ratio - 1.0));
    let worse = match compared.ratio {
        None if compared.rounds > 0 && compared.likeness == Likeness::Last => ENDLESS.into(),
        ratio => change(ratio),
    };
    let like = match compared.likeness {
        Likeness::First => "like the first version",
        Likeness::Last => "like the last version",
        Likeness::Between => "in between",
        Likeness::Undecided => "undecided",
        Likeness::NotBuilt => "not compared",
    };
    [
        name(record, compared.version as usize),
        like.into(),
        worse,
        change(compared.low),
        change(compared.high),
        compared.rounds.to_string(),
    ]
}

/// A version as people write it: a commit by its first digits.
fn name(record: &Bisection, version: usize) -> String {
    let name = &record.versions[version];
    let is_commit = record.build.is_some() && name.is_char_boundary(COMMIT_DIGITS);
    clean(if is_commit { &name[..COMMIT_DIGITS] } else { name })
}
