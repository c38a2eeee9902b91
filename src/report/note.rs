//! The text beside a picture: what it says, how it was made, and how it is made again.

use std::fmt::Write;

use super::charts::{ChartKind, Picture};
use super::markdown::{address, escaped};
use super::sentences::limits;
use super::setting;
use crate::judge::races::measured;
use crate::record::{RunResult, TrialVerdict, Verdict};
use crate::text::{clean, counted};

/// `post.md` beside `post.png`: finding, alternative text, method with machine and limits, commands.
pub fn note(result: &RunResult, picture: &Picture<'_>, chart: &str, file: &str) -> String {
    let mut out = format!("# {}\n\n", escaped(&picture.title));
    let _ = writeln!(out, "![{}]({})\n", escaped(&picture.alt), address(file));
    let _ = writeln!(out, "{}\n", escaped(&method(result, picture)));
    let _ = writeln!(out, "Alternative text: {}\n", escaped(&picture.alt));
    let run = match picture.kind != ChartKind::Gate {
        true => setting::command(result).map_or_else(String::new, |command| command + "\n"),
        // Many gates made it, each by a command of its own.
        false => String::new(),
    };
    let _ = writeln!(out, "Made by:\n\n```sh\n{run}{chart}\n```");
    out
}

/// Two sentences: how and on what it was measured, and what it does not say.
fn method(result: &RunResult, picture: &Picture<'_>) -> String {
    let print = &result.fingerprint;
    let trials: Vec<_> = measured(result).iter().filter(|trial| !trial.voided).collect();
    let valid = trials.iter().filter(|t| t.validity.verdict == TrialVerdict::Valid).count();
    let ways = super::setting::loads(trials.iter().copied());
    let doubt = match result.verdict {
        Verdict::Invalid => ", which is INVALID and concludes nothing",
        Verdict::Interrupted => ", which was interrupted",
        _ => "",
    };
    let rounds = match result.trials.is_empty() {
        true => String::new(),
        false => format!(" in {}", counted(result.rounds as usize, "round")),
    };
    let measured = match &result.map {
        _ if picture.kind == ChartKind::Gate => {
            let mut gates: Vec<&str> =
                result.gate_history.iter().map(|point| &*point.utc).collect();
            gates.sort_unstable();
            gates.dedup();
            counted(gates.len(), "gate")
        }
        Some(map) if trials.is_empty() => counted(map.cells.len(), "cell"),
        _ => format!("{}{rounds} ({valid} VALID)", counted(trials.len(), "trial")),
    };
    let method = picture.method.trim_end_matches('.').replace(". ", "; ");
    let how: Vec<String> = ways.into_iter().chain([method]).collect();
    format!(
        "Measured in {measured} by bakeoff {} on {}, {}, Linux {}{}{doubt}: {}. Limits: not shown are {}.",
        clean(&print.bakeoff),
        super::machines::cpu(result),
        counted(print.cores as usize, "core"),
        clean(&print.kernel),
        super::setting::versions(result),
        how.join("; "),
        limits(result).join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::report::charts::pictures;

    #[test]
    fn a_picture_is_told_in_two_sentences_and_two_commands() {
        let run = mock::payments(6, &mock::MODELS);
        let pictures = pictures(&run);
        insta::assert_snapshot!(note(&run, &pictures[0], "bakeoff chart r -o a.png", "a (1).png"));
    }

    #[test]
    fn a_history_of_gates_has_no_run_no_seed_and_no_trials() {
        let mut run = mock::everything();
        run.trials.clear();
        run.probes.clear();
        let pictures = crate::report::charts::pictures_of(&run, ChartKind::Gate, None);
        let text = note(&run, &pictures[0], "bakeoff chart h.jsonl -o a.svg", "a.svg");
        assert!(
            text.contains("gates by bakeoff") && text.contains("bakeoff chart h.jsonl"),
            "{text}"
        );
        for made_up in ["bakeoff run", "seed", "trial", "VALID"] {
            assert!(!text.contains(made_up), "{made_up}: {text}");
        }
    }
}
