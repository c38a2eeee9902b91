//! The part of a file that says what one user does in order: `[[session]]`, and `[[setup]]`, which is done once.

use std::ops::Range;

use super::Workload;
use super::diagnostic::Diagnostic;
use super::quantity::At;
use super::raw::{Raw, RawRoute, RawSession};
use super::routes::{diagnostic, step_operation};
use crate::load::plan::{
    Extract, Fields, InvalidRequest, Operation, SessionStep, UserSession, is_field,
};
use crate::scenario::contender::Around;
use crate::scenario::field::name;
use crate::units::Nanos;

/// Steps of a session, and of the setup.
const STEPS_MAX: usize = 32;
/// The think times of a session together: no lead-in is longer, and a longer session would still be on its first steps
/// when the window opens.
const THINK_MAX: Nanos = Nanos(10 * Nanos::SECOND.0);

/// What is sent once, and the names of what it captures.
pub(super) fn setup(
    raw: &Raw,
    around: Around<'_>,
) -> Result<(Vec<SessionStep>, Vec<String>), Diagnostic> {
    let Some(first) = raw.setup.first() else { return Ok((Vec::new(), Vec::new())) };
    if around.workload != Workload::Http {
        return Err(Diagnostic::new(
            &first.span,
            "the built-in services need no setup",
            format!("not of {}", around.workload.name()),
        )
        .help("write workload = \"http\", or remove it"));
    }
    let mut captured = Vec::new();
    let steps = steps(&raw.setup, &first.span, "a setup", around, &mut captured)?;
    Ok((steps, captured))
}

pub(super) fn session(raw: &At<RawSession>, around: Around<'_>) -> Result<Operation, Diagnostic> {
    let named = name(&raw.value.name, "session's name")?;
    let mut captured = Vec::new();
    let steps = steps(&raw.value.step, &raw.span, "a session", around, &mut captured)?;
    let session = UserSession { name: named, steps };
    let think = session.thinking();
    if think > THINK_MAX {
        let title = format!("the think times of a session are at most {THINK_MAX} together");
        let longest = raw.value.step.iter().filter_map(|step| step.value.think.as_ref());
        let longest = longest.max_by_key(|at| at.value.0).map_or(&raw.span, |at| &at.span);
        return Err(Diagnostic::new(longest, title, format!("{think} in all"))
            .help("the load runs at most that long before the window"));
    }
    Ok(Operation::Session(session))
}

fn steps(
    raw: &[At<RawRoute>],
    span: &Range<usize>,
    whose: &str,
    around: Around<'_>,
    captured: &mut Vec<String>,
) -> Result<Vec<SessionStep>, Diagnostic> {
    if !(1..=STEPS_MAX).contains(&raw.len()) {
        let title = format!("{whose} has 1 to {STEPS_MAX} steps");
        let help = match raw.is_empty() {
            true => {
                "write [[session.step]] and below it name = \"login\" and path = \"/login\"".into()
            }
            false => {
                format!("remove {}, or write a session of its own for them", raw.len() - STEPS_MAX)
            }
        };
        return Err(Diagnostic::new(span, title, format!("{} steps", raw.len())).help(help));
    }
    let mut steps: Vec<SessionStep> = Vec::new();
    for one in raw {
        let step = step(one, whose, &steps, around, captured)?;
        if let Some(at) = &one.value.name
            && steps.iter().any(|known| known.name == step.name)
        {
            let title = format!("`{}` is the name of two steps", step.name);
            return Err(Diagnostic::new(&at.span, title, "a second time"));
        }
        steps.push(step);
    }
    Ok(steps)
}

fn step(
    raw: &At<RawRoute>,
    whose: &str,
    earlier: &[SessionStep],
    around: Around<'_>,
    captured: &mut Vec<String>,
) -> Result<SessionStep, Diagnostic> {
    let of_routes = [
        ("weight", raw.value.weight.as_ref().map(|at| &at.span)),
        ("rate", raw.value.rate.as_ref().map(|at| &at.span)),
    ];
    if let Some((key, span)) = of_routes.into_iter().find_map(|(key, span)| Some((key, span?))) {
        let title = format!("a step has no `{key}` of its own");
        return Err(Diagnostic::new(span, title, "not of a step")
            .help("every session goes through all its steps; write it into [[session]]"));
    }
    let fields = Fields { session: captured, ..around.fields };
    let operation = step_operation(raw, Around { fields, ..around })?;
    if let (Some(at), Operation::Replay) = (&raw.value.operation, &operation) {
        return Err(Diagnostic::new(&at.span, "a session has no replay", "not of a step")
            .help("write it as a [[route]] beside one of operation = \"payment\""));
    }
    let repeats =
        |one: &SessionStep| !matches!(operation, Operation::Route(_)) && one.operation == operation;
    if let (Some(at), true) = (&raw.value.operation, earlier.iter().any(repeats)) {
        let title = format!("a session has `{}` at most once", operation.name());
        return Err(Diagnostic::new(&at.span, title, "a second time")
            .help("it would have the same key and be answered as a replay"));
    }
    let named = raw.value.name.as_ref().map(|at| name(at, "step's name")).transpose()?;
    let think = match &raw.value.think {
        Some(at) if whose == "a setup" || earlier.is_empty() => {
            let title = "there is no think time before a first step, or in a setup";
            return Err(Diagnostic::new(&at.span, title, "not here")
                .help("`think` is the time between the answer to a step and the next one"));
        }
        think => think.as_ref().map_or(Nanos(0), |at| at.value.0),
    };
    let extract = extracts(&raw.value, &operation, captured, around.fields.setup)?;
    let name = named.unwrap_or_else(|| operation.name().to_owned());
    Ok(SessionStep { name, operation, think, extract })
}

fn extracts(
    raw: &RawRoute,
    operation: &Operation,
    captured: &mut Vec<String>,
    by_setup: &[String],
) -> Result<Vec<Extract>, Diagnostic> {
    let mut extracts = Vec::new();
    for (key, from) in &raw.extract {
        let named = &key.value;
        let is_name = named.starts_with(|c: char| c.is_ascii_lowercase())
            && named.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let wrong = if !matches!(operation, Operation::Route(_)) {
            "the built-in operations fill in their requests themselves".to_owned()
        } else if !is_name {
            "this cannot be the name of a value".to_owned()
        } else if is_field(named) {
            format!("{{{named}}} is a field already")
        } else if by_setup.contains(named) {
            format!("the setup captures `{named}` already")
        } else if captured.contains(named) {
            format!("`{named}` is captured twice")
        } else {
            captured.push(named.clone());
            let from = from.value.parse().map_err(|what: String| {
                diagnostic(from, InvalidRequest { what, help: None }, "where in the answer?")
            })?;
            extracts.push(Extract { name: named.clone(), from });
            continue;
        };
        return Err(Diagnostic::new(&key.span, wrong, "not a name for a value").help(
            "a lower-case letter, then letters, digits and `_`; templates write it as {token}",
        ));
    }
    Ok(extracts)
}

#[cfg(test)]
mod tests {
    use crate::load::plan::Operation;
    use crate::scenario::parse;

    fn of(rest: &str) -> Result<crate::scenario::Scenario, String> {
        let text = format!(
            "schema = 1\nname = \"a\"\ntitle = \"A\"\nworkload = \"http\"\n\
             experiment.compare.rates = [\"9/s\"]\n{rest}\n[contender.a]\nurl = \"http://127.0.0.1:1\"\n"
        );
        parse("a.toml", &text).map_err(|error| error.to_string())
    }

    const LOGIN: &str = "[[session]]\nname = \"buy\"\n[[session.step]]\nname = \"login\"\n\
                         path = \"/login\"\nextract = { token = \"json:/token\" }\n";

    #[test]
    fn steps_use_what_earlier_ones_and_the_setup_capture() {
        let scenario = of(&format!(
            "[[setup]]\nname = \"shop\"\npath = \"/shop\"\nextract = {{ shop = \"header:x-shop\" }}\n\
             [[route]]\nname = \"home\"\npath = \"/{{shop}}\"\nweight = 3\n{LOGIN}\
             [[session.step]]\nname = \"pay\"\npath = \"/{{shop}}/pay?t={{token}}\"\nthink = \"200ms\"\n"
        ))
        .unwrap();
        let names: Vec<_> =
            scenario.mix.iter().map(|(one, weight)| (one.name(), *weight)).collect();
        assert_eq!(names, [("home", 3), ("buy", 1)]);
        assert_eq!((scenario.setup.len(), scenario.setup[0].name.as_str()), (1, "shop"));
        let Operation::Session(session) = &scenario.mix[1].0 else { panic!() };
        assert_eq!(session.steps[1].think, crate::units::Nanos(200_000_000));
    }

    #[test]
    fn mistakes_are_told() {
        let second = |step: &str| format!("{LOGIN}[[session.step]]\nname = \"pay\"\n{step}\n");
        let more: String =
            (0..33).map(|n| format!("[[session.step]]\nname = \"s{n}\"\npath = \"/\"\n")).collect();
        let many = format!("{LOGIN}{more}");
        for (rest, told) in [
            (second("path = \"/{tokn}\""), "did you mean {token}?"),
            (second("path = \"/\"\nthink = \"11s\""), "at most 10 s together"),
            (second("path = \"/\"\nweight = 2"), "a step has no `weight`"),
            (second("path = \"/\"\nextract = { token = \"json:/a\" }"), "captured twice"),
            (second("path = \"/\"\nextract = { uuid = \"json:/a\" }"), "{uuid} is a field already"),
            (second("path = \"/\"\nextract = { a = \"json:a\" }"), "not a JSON pointer"),
            (second("path = \"/\"\nextract = { a = \"body\" }"), "not a part of an answer"),
            (second("path = \"/\"\nname = \"login\"").replace("name = \"pay\"\n", ""), "two steps"),
            ("[[session]]\nname = \"buy\"\n".into(), "1 to 32 steps"),
            (many, "remove 2, or"),
            (
                format!(
                    "[[setup]]\npath = \"/\"\nname = \"s\"\nextract = {{ token = \"json:/a\" }}\n{LOGIN}"
                ),
                "the setup captures `token` already",
            ),
            (LOGIN.replace("path", "think = \"1s\"\npath"), "before a first step"),
            (
                format!("[[route]]\nname = \"r\"\npath = \"/{{token}}\"\n{LOGIN}"),
                "no field `{token}`",
            ),
            (
                "[[route]]\nname = \"r\"\npath = \"/\"\nthink = \"1s\"\n".into(),
                "of a step of a session",
            ),
            (format!("[[route]]\nname = \"buy\"\npath = \"/\"\n{LOGIN}"), "`buy` has two"),
        ] {
            let error = of(&rest).unwrap_err();
            assert!(error.contains(told), "{told}: {error}");
        }
    }

    #[test]
    fn a_closed_window_is_no_shorter_than_a_sessions_thinking() {
        let of = |think: &str| {
            let text = format!(
                "schema = 1\nname = \"a\"\ntitle = \"A\"\nworkload = \"http\"\n{LOGIN}\
                 [[session.step]]\nname = \"pay\"\npath = \"/\"\nthink = \"{think}\"\n\
                 [load.closed]\nduration = \"2s\"\n[contender.a]\nurl = \"http://127.0.0.1:1\"\n"
            );
            parse("a.toml", &text).map_err(|error| error.to_string())
        };
        assert_eq!(of("2s").map(|_| ()), Ok(()));
        let error = of("3s").unwrap_err();
        let told = "2 s is shorter than the think times";
        assert!(error.contains(told) && error.contains("buy"), "{error}");
    }

    #[test]
    fn the_built_in_operations_are_steps_once() {
        let of = |steps: &str| {
            let text = format!(
                "schema = 1\nname = \"a\"\ntitle = \"A\"\nworkload = \"payment\"\n\
                 experiment.compare.rates = [\"9/s\"]\n[[session]]\nname = \"buy\"\n{steps}\n\
                 [contender.a]\nmodel = \"event-loop\"\n"
            );
            parse("a.toml", &text).map_err(|error| error.to_string())
        };
        let step = |operation: &str| format!("[[session.step]]\n{operation}\n");
        let named = step("operation = \"webhook\"\nname = \"basket\"");
        let scenario = of(&format!("{named}{}", step("operation = \"payment\""))).unwrap();
        let Operation::Session(session) = &scenario.mix[0].0 else { panic!() };
        let names: Vec<_> = session.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["basket", "payment"]);
        let twice = step("operation = \"webhook\"\nname = \"other\"");
        for (steps, told) in [
            (format!("{named}{twice}"), "has `webhook` at most once"),
            (step("operation = \"replay\""), "no replay"),
            (step("path = \"/\"\nname = \"a\""), "is for routes of"),
            (step("operation = \"webhook\"\nextract = { a = \"json:/a\" }"), "themselves"),
        ] {
            let error = of(&steps).unwrap_err();
            assert!(error.contains(told), "{told}: {error}");
        }
    }
}
