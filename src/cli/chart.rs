//! `bakeoff chart`

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::cli::print;
use crate::cli::report::Stored;
use crate::error::{Error, Result};
use crate::files;
use crate::record::RunResult;
use crate::report::charts::{self, ChartKind, Picture, Shade, Size};
use crate::report::note::note;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff chart reports/tour -o post.png         the main chart of the newest result there
  bakeoff chart reports/gate/history.jsonl -o gates.png    the gates so far
  bakeoff chart result.json --kind forest --of event-loop --versus thread-pool -o forest.svg
  bakeoff chart result.json --kind hdr --only loyalty --theme dark --size card -o card.png
  bakeoff chart reports/tour --size readme -o tour-light.png   readable at the width of a README

A .md file with the same name contains the finding, a text alternative, how it was measured, and the command that
draws the chart again. An existing .md that bakeoff did not write stays: use --note for another name. Files that
bakeoff did not write are overwritten only with --force.

Exit codes: 0 drawn, 1 internal error, 2 bad flag, no result, or a result without the data of that kind")]
pub(crate) struct Args {
    /// A result.json, its folder, a folder with several results (the newest is used), or a gate's history.jsonl
    #[arg(value_name = "RESULT")]
    result: PathBuf,
    /// What to show [default: the first of these for which the result has data]
    #[arg(long, value_enum)]
    kind: Option<ChartKind>,
    /// The first contender of a forest or a flame-diff
    #[arg(long, value_name = "NAME", requires = "versus")]
    of: Option<String>,
    /// The second contender of a forest or a flame-diff
    #[arg(long, value_name = "NAME", requires = "of")]
    versus: Option<String>,
    /// Of several charts of a kind, the first whose name contains this, e.g. a workload or a rate
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// A white or a nearly black background
    #[arg(long, value_enum, default_value_t)]
    theme: Shade,
    /// For posts, for cards of social networks, or for a README at 600 px; a PNG has twice the pixels
    #[arg(long, value_enum, default_value_t)]
    size: Size,
    /// The output file, .png or .svg
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// The text's file [default: the picture's name with .md, if there is no such file]
    #[arg(long, value_name = "FILE")]
    note: Option<PathBuf>,
    /// Overwrite files that bakeoff did not write
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        let (result, kind) = self.result()?;
        let pair = self.of.as_deref().zip(self.versus.as_deref());
        let kind = kind.or(pair.map(|_| ChartKind::Forest));
        let pictures = match kind {
            Some(kind) => charts::pictures_of(&result, kind, pair),
            None => charts::pictures(&result),
        };
        let wanted = |picture: &&Picture<'_>| {
            self.only.as_deref().is_none_or(|text| picture.stem.contains(text))
        };
        let picture =
            pictures.iter().find(wanted).ok_or_else(|| self.nothing(kind, &pictures, &result))?;
        let size = self.size;
        let svg = picture.svg(self.theme, size);
        let bytes = match self.out.extension().and_then(|e| e.to_str()) {
            Some("svg") => svg.into_bytes(),
            Some("png") => png(&svg, size)?,
            _ => return Err(no_picture(&self.out)),
        };
        let text = note(&result, picture, &self.command(picture), &name_of(&self.out));
        let text = files::note(&text);
        let beside = self.out.with_extension("md");
        let place = match &self.note {
            Some(note) => {
                files::expect_different(&[&self.out, note])?;
                files::expect_writable(note, self.force)?;
                Some(note)
            }
            None => Some(&beside).filter(|beside| files::may_be_written(beside)),
        };
        files::write(&self.out, &bytes, self.force)?;
        let told = match place {
            Some(place) => {
                files::write(place, text.as_bytes(), self.force)?;
                place.display().to_string()
            }
            None => format!(
                "no text: {} is there already; --note FILE writes it elsewhere",
                beside.display()
            ),
        };
        print(&format!("{}\n{}\n{told}\n", picture.title, self.out.display()))?;
        Ok(0)
    }

    /// What is drawn from, and the kind that is asked for. Of a history there is one kind.
    fn result(&self) -> Result<(RunResult, Option<ChartKind>)> {
        let shown = self.result.display();
        match Stored::read(&self.result)? {
            Stored::Result(result) => Ok((*result, self.kind)),
            Stored::History(history) => {
                let series = history.series();
                let series = series.ok_or_else(|| Error::usage(format!("{shown} has no gate")))?;
                Ok((series, Some(self.kind.unwrap_or(ChartKind::Gate))))
            }
            Stored::Ledger(_) => {
                Err(Error::usage(format!("{shown} is a ledger, which has no chart of its own"))
                    .help("give the folder of one of its scenarios"))
            }
        }
    }

    fn nothing(
        &self,
        kind: Option<ChartKind>,
        pictures: &[Picture<'_>],
        result: &RunResult,
    ) -> Error {
        let file = self.result.display();
        if let (Some(text), false) = (&self.only, pictures.is_empty()) {
            let stems: Vec<&str> = pictures.iter().map(|picture| picture.stem.as_str()).collect();
            let error = Error::usage(format!("no chart of {file} has `{text}` in its name"));
            return error.help(format!("there are {}", stems.join(", ")));
        }
        let (what, needs) = kind
            .map_or(("chart", "finished trials that are not INVALID"), |k| (k.name(), k.needs()));
        Error::usage(format!("{file} does not have the data of a `{what}` chart")).help(
            match &result.notes[..] {
                notes if kind == Some(ChartKind::Gate) && !notes.is_empty() => {
                    format!("it needs {needs}; {}", notes.join("; "))
                }
                _ => format!("it needs {needs}"),
            },
        )
    }

    /// The command that makes the same picture of the same result.
    fn command(&self, picture: &Picture<'_>) -> String {
        use crate::report::quoted;
        let path = |path: &Path| quoted(&path.display().to_string());
        let mut command =
            format!("bakeoff chart {} --kind {}", path(&self.result), picture.kind.name());
        for (flag, value) in [("of", &self.of), ("versus", &self.versus), ("only", &self.only)] {
            if let Some(value) = value {
                command += &format!(" --{flag} {}", quoted(value));
            }
        }
        if self.theme == Shade::Dark {
            command += " --theme dark";
        }
        if self.size != Size::default() {
            command += &format!(" --size {}", self.size.name());
        }
        command += &format!(" -o {}", path(&self.out));
        if let Some(note) = &self.note {
            command += &format!(" --note {}", path(note));
        }
        command
    }
}

#[cfg(feature = "png")]
fn png(svg: &str, size: Size) -> Result<Vec<u8>> {
    charts::png(svg, size).map_err(Error::internal)
}

#[cfg(not(feature = "png"))]
fn png(_svg: &str, _size: Size) -> Result<Vec<u8>> {
    Err(Error::usage("this bakeoff was built without its feature `png`")
        .help("end the name in .svg, or build it with `--features png`"))
}

/// A name by which no kind of picture can be told.
fn no_picture(out: &Path) -> Error {
    let shown = out.display();
    match out.file_name().and_then(|name| name.to_str()) {
        Some(".png" | ".svg") => Error::usage(format!("{shown} has no name before its ending"))
            .help("name the picture, for example chart.svg"),
        _ => {
            Error::usage(format!("{shown} is neither .png nor .svg")).help("end it in .png or .svg")
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

impl ValueEnum for ChartKind {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(match self {
            Self::Load => "Response time by load",
            Self::Map => "The faster contender by wait and CPU time",
            Self::Hdr => "Percentiles of the response time",
            Self::Forest => "Every metric of two contenders",
            Self::Stall => "Response times before, during and after a fault or a burst",
            Self::Time => "Where the time goes",
            Self::Cpu => "CPU per request by load",
            Self::Memory => "Memory by connections or requests in flight",
            Self::Layers => "CPU time by layer, contenders side by side",
            Self::Flame => "CPU time by stack",
            Self::FlameDiff => "CPU time by stack, the difference of two contenders",
            Self::Gate => "Earlier gates",
            Self::Lag => "The generator's own lateness",
        }))
    }
}

impl ValueEnum for Shade {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl ValueEnum for Size {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (width, height) = (self.width(), self.height());
        Some(PossibleValue::new(self.name()).help(format!("{width} x {height}")))
    }
}
