//! A trial of `drive` for people.

use super::document::{Document, Element, Table};
use super::markdown::write_markdown;
use super::terminal::write_text;
use crate::judge::failures::{error_counts, firsts};
use crate::record::CertificateCheck;
use crate::record::late::{LATE_NOTE, Late};
use crate::record::{Distribution, Transfer, Trial};
use crate::text::{WITHHELD, counted, listed, percent};
use crate::units::{Nanos, Rate, Share, bytes, grouped};

/// For a terminal. `first` is what a search found, or that too many requests failed.
pub fn text(trial: &Trial, first: Option<&str>) -> String {
    write_text(&document(trial, first), false)
}

pub fn markdown(trial: &Trial, first: Option<&str>) -> String {
    write_markdown(&document(trial, first))
}

fn document(trial: &Trial, first: Option<&str>) -> Document<'static> {
    let mut document = Document {
        title: trial.contender.clone(),
        answer: first.map(str::to_owned).into_iter().chain([answer(trial)]).collect(),
        verdict: Some((trial.validity.verdict.word(), trial.validity.reasons.join("; "))),
        blocks: vec![Element::Table(times(trial)), Element::Text(headline(trial))],
        ..Document::default()
    };
    document.blocks.extend(firsts(trial).into_iter().map(Element::Text));
    document.blocks.extend(trial.transfer.as_ref().map(|it| Element::Text(transfer(it))));
    document.blocks.push(Element::Text(generator(trial)));
    document
}

/// What a person could repeat: `500/s answered: p50 20.2 us, p99 570 us, no errors.`
fn answer(trial: &Trial) -> String {
    let rate = Rate(trial.achieved_rps);
    let mut said = match (&trial.load.arrivals, trial.saturated) {
        (Some(_), true) => format!("Saturated at {rate}"),
        (Some(_), false) => format!("{rate} answered"),
        (None, _) => format!("At most {rate} on {} connections", trial.load.connections),
    };
    let mut kinds = trial.by_request.values();
    if let (Some(only), None) = (kinds.next(), kinds.next())
        && let Some(times) = only.response_ns.as_ref().or(only.service_ns.as_ref())
    {
        said += &format!(": p50 {}, p99 {}", times.shown(500), times.shown(990));
    }
    let errors = match trial.errors.is_empty() {
        true => "no errors".to_owned(),
        false => format!("errors: {}", error_counts(trial)),
    };
    format!("{said}, {errors}.")
}

fn headline(trial: &Trial) -> String {
    let load = &trial.load;
    let seconds = Nanos::from_secs_f64(load.duration_s);
    let (achieved, offered) = (Rate(trial.achieved_rps), Rate(trial.offered_rps));
    let level = match &load.arrivals {
        Some(arrivals) if trial.saturated => {
            format!("saturated: {achieved} of {offered} ({arrivals})")
        }
        Some(arrivals) => format!("open, {arrivals}: {offered} offered, {achieved} achieved"),
        None => format!("closed: {achieved}"),
    };
    let level = match (load.rate, load.rate_to) {
        (Some(from), Some(to)) => format!("{level}, from {} to {}", Rate(from), Rate(to)),
        _ => level,
    };
    format!(
        "{level} for {seconds} on {} connections, {} requests to {}{}",
        load.connections,
        grouped(trial.requests as f64),
        trial.contender,
        tls(trial)
    )
}

/// Whether TLS was spoken, and to whom.
pub(crate) fn tls(trial: &Trial) -> &'static str {
    match trial.load.tls {
        None => "",
        Some(CertificateCheck::Insecure) => ", TLS, certificate NOT verified (--insecure)",
        Some(_) => ", TLS",
    }
}

/// One row for each kind of time. Closed loop has a service time only.
fn times(trial: &Trial) -> Table {
    let mut rows = Vec::new();
    for (name, request) in &trial.by_request {
        for (what, times) in [
            ("response", &request.response_ns),
            ("service", &request.service_ns),
            ("backlog", &request.backlog_ns),
            ("generator lag", &request.generator_lag_ns),
        ] {
            rows.extend(times.as_ref().map(|times| row(&format!("{name} {what}"), times)));
        }
    }
    rows.extend(trial.connect_ns.as_ref().map(|times| row("connect", times)));
    rows.extend(trial.handshake_ns.as_ref().map(|times| row("TLS handshake", times)));
    let first = trial.transfer.as_ref().map(|it| &it.first_service_ns).filter(|it| it.n > 0);
    rows.extend(first.map(|times| row("service, first on a connection", times)));
    let lag = trial.generator.receive_lag_ns.as_ref();
    rows.extend(lag.map(|times| row("receive lag, one read in 100", times)));
    let table = Table::new("", ["", "p50", "p90", "p99", "p99.9", "max", "n"], 1..7, rows);
    let late =
        |times: &Distribution| [500, 900, 990, 999].iter().any(|it| times.late(*it) != Late::No);
    let mut kinds = trial.by_request.values().filter_map(|kind| kind.response_ns.as_ref());
    table.noted(kinds.any(late).then(|| LATE_NOTE.to_owned()))
}

/// `-` where a percentile is withheld, `*` and `<=` where the generator was late; `max` is of right answers.
fn row(name: &str, times: &Distribution) -> [String; 7] {
    let [p50, p90, p99, p99_9] = [500, 900, 990, 999].map(|it| times.shown(it));
    let max = times.max.map_or(WITHHELD.into(), |ns| Nanos(ns).to_string());
    [name.into(), p50, p90, p99, p99_9, max, grouped(times.n as f64)]
}

/// `responses: 5,000 of 200; received 1.2 MiB/s, sent 600 KiB/s; 99.2 % on a connection used before; 3 connections opened again`
pub(super) fn transfer(of: &Transfer) -> String {
    let answers =
        of.answers.iter().map(|(status, n)| format!("{} of {status}", grouped(*n as f64)));
    let answers: Vec<String> = answers.collect();
    let answers = if answers.is_empty() { "none".into() } else { listed(&answers) };
    let [received, sent] = [of.received_bytes_per_s, of.sent_bytes_per_s].map(bytes);
    let reused = of.reused_share.map(|share| {
        format!("; {} on a connection used before", Share((share * 1e3).round() / 1e3))
    });
    let again = match of.reconnects {
        0 => String::new(),
        n => format!("; {} opened again", counted(n as usize, "connection")),
    };
    format!(
        "responses: {answers}; received {received}/s, sent {sent}/s{}{again}",
        reused.unwrap_or_default()
    )
}

fn generator(trial: &Trial) -> String {
    format!(
        "generator: {} of {} busy, polling left out; bound by {}; drift: {}",
        percent(trial.generator.cpu_share, 1),
        counted(trial.generator.threads as usize, "core"),
        trial.bound_by,
        trial.validity.drift
    )
}
