//! Every string of a result with something hostile in it: no output may pass it on.

use super::charts::{Shade, Size, pictures};
use super::{drive, note, side_by_side, summary};
use crate::judge::mock;
use crate::record;
use crate::record::{Decision, Ledger, RunResult, json};
use crate::report::markdown::write_markdown;
use crate::report::terminal::write_text;
use crate::text::{harmless, is_shown};
use serde_json::Value;

const PAYLOAD: &str =
    "</text><script>\"'\u{1b}[31mRED\u{9b}31m\u{202e}\u{2028}\u{0}\r\n::error::x\u{7f}";

/// Small, and with the data of every chart.
fn result() -> Value {
    let mut result = mock::everything();
    result.trials.retain(|trial| trial.round <= 2);
    serde_json::from_str(&record::to_json(&result)).unwrap()
}

/// Adds the payload to every string below a path, in which `*` is every place of a list.
fn poison(value: &mut Value, path: &[String]) {
    match (value, path) {
        (Value::String(text), []) => text.push_str(PAYLOAD),
        (Value::Array(all), [_, rest @ ..]) => all.iter_mut().for_each(|one| poison(one, rest)),
        (Value::Object(all), [key, rest @ ..]) => {
            all.iter_mut().filter(|(own, _)| *own == key).for_each(|(_, one)| poison(one, rest));
        }
        _ => {}
    }
}

fn paths(value: &Value, before: &[String], found: &mut Vec<Vec<String>>) {
    let below = |key: &str| [before, &[key.to_owned()]].concat();
    match value {
        Value::String(_) if !found.iter().any(|path| path == before) => found.push(before.to_vec()),
        Value::Array(all) => all.iter().for_each(|one| paths(one, &below("*"), found)),
        Value::Object(all) => all.iter().for_each(|(key, one)| paths(one, &below(key), found)),
        _ => {}
    }
}

fn expect_harmless(what: &str, text: &str) {
    let plain = anstream::adapter::strip_str(text).to_string();
    let bad = plain.chars().find(|c| !matches!(c, '\n' | '\t') && !is_shown(*c));
    assert_eq!(bad, None, "{what}: {plain}");
    assert!(!text.contains("\u{1b}[31mRED"), "{what}: {text}");
    let printed = harmless(text);
    let command = printed.lines().find(|line| line.trim_start().starts_with("::"));
    assert_eq!(command, None, "{what}");
}

fn expect_texts_harmless(what: &str, result: &RunResult) {
    expect_harmless(what, &summary::text(result, None, true));
    expect_harmless(what, &summary::markdown(result));
    let beside = side_by_side::side_by_side(result, result, &[]);
    expect_harmless(what, &write_text(&beside, true));
    expect_harmless(what, &write_markdown(&beside));
    for trial in result.trials.iter().take(1) {
        expect_harmless(what, &drive::text(trial, Some(&trial.contender)));
        expect_harmless(what, &drive::markdown(trial, Some(&trial.contender)));
    }
    expect_harmless(what, &record::to_json(result));
}

#[test]
fn no_string_of_a_result_commands_a_terminal_or_a_runner() {
    let clean = result();
    let mut all = Vec::new();
    paths(&clean, &[], &mut all);
    // Words of ours and histograms are refused.
    all.retain(|path| {
        let mut one = clean.clone();
        poison(&mut one, path);
        record::from_json(&one.to_string()).is_ok()
    });
    let poisoned = |all: &[Vec<String>]| {
        let mut result = clean.clone();
        all.iter().for_each(|path| poison(&mut result, path));
        record::from_json(&result.to_string()).unwrap()
    };
    // One that is poisoned may keep another from being shown.
    for some in all.chunks(12) {
        expect_texts_harmless(&format!("{some:?}"), &poisoned(some));
    }
    let worst = poisoned(&all);
    expect_texts_harmless("all", &worst);
    let page = summary::html(&worst);
    assert_eq!(page.matches("<script").count(), 2, "the data and our own");
    assert_eq!(page.matches("</script").count(), 2);
    for picture in pictures(&worst) {
        expect_harmless(&picture.stem, &note::note(&worst, &picture, "bakeoff chart", "a.svg"));
        let svg = picture.svg(Shade::Light, Size::Blog);
        let document = roxmltree::Document::parse(&svg).expect(&picture.stem);
        assert!(
            !document.descendants().any(|node| node.has_tag_name("script")),
            "{}",
            picture.stem
        );
        expect_harmless(&picture.stem, &svg);
    }
}

// The published JSON Schemas against what runs write: `result.json`, `ledger.json` and decide's answer.

#[test]
fn the_published_schemas_are_current() {
    json::expect_current::<RunResult>("contracts/result.schema.json");
    json::expect_current::<Ledger>("contracts/ledger.schema.json");
    json::expect_current::<Decision>("contracts/decision.schema.json");
}

#[test]
fn every_key_of_a_result_is_in_its_schema() {
    let described: serde_json::Value =
        serde_json::from_str(include_str!("../../contracts/result.schema.json")).unwrap();
    let result = crate::record::to_json(&mock::everything());
    let result: serde_json::Value = serde_json::from_str(&result).unwrap();
    for (place, value) in [("", &result), ("/$defs/Trial", &result["trials"][0])] {
        let known = described.pointer(&format!("{place}/properties")).unwrap();
        for key in value.as_object().unwrap().keys() {
            assert!(known.get(key).is_some(), "{key} is not in {place}/properties");
        }
    }
}
