//! The report folder of a gate: every format, a file each.

use std::fs;
use std::path::Path;

use crate::error::{Context, Result};
use crate::record::gate::{GateResult, to_json};
use crate::report::charts::{Kind, Shade, Size, pictures_of};
use crate::report::gate::history::History;
use crate::report::gate::{dashboards, junit, markdown};

/// Writes all of them; `gate.json`, from which every other can be made anew, first.
///
/// # Errors
/// Usage, when the folder cannot be written.
pub(super) fn write(out: &Path, result: &GateResult) -> Result<()> {
    fs::create_dir_all(out).usage(|| format!("cannot make the report folder {}", out.display()))?;
    for (name, text) in [
        ("gate.json", to_json(result) + "\n"),
        ("summary.md", markdown::step_summary(result)),
        ("junit.xml", junit::junit(result)),
        ("bencher.json", dashboards::bencher(result)),
        ("benchmark-smaller-is-better.json", dashboards::smaller_is_better(result)),
        ("benchmark-bigger-is-better.json", dashboards::bigger_is_better(result)),
    ] {
        let path = out.join(name);
        fs::write(&path, text).usage(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Draws the gates so far, once there are two.
///
/// # Errors
/// Usage, when the folder cannot be written.
pub(super) fn draw(out: &Path, past: &History) -> Result<()> {
    let Some(series) = past.series() else { return Ok(()) };
    for picture in pictures_of(&series, Kind::Gate, None) {
        for (shade, name) in [(Shade::Light, "light"), (Shade::Dark, "dark")] {
            let path = out.join(format!("history-{name}.svg"));
            fs::write(&path, picture.svg(shade, Size::Blog))
                .usage(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}
