//! Contenders that are not built in: by `command` or by `url`.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use super::Workload;
use super::contender::{Kind, Ready, STOP_WITHIN, Setup};
use super::diagnostic::Diagnostic;
use super::quantity::{At, Quantity};
use super::raw::{RawContender, RawTls};
use super::routes::diagnostic;
use crate::error::Error;
use crate::load::plan::{Template, check_path, with_environment};
use crate::load::tls::{Tls, TlsOptions};
use crate::load::url::Url;
use crate::scenario::contender::{Around, Programs};
use crate::units::Nanos;

/// Arguments of a command.
const ARGUMENTS_MAX: usize = 200;
/// Where the file does not say how long a server may take to be ready.
const READY_WITHIN: Nanos = Nanos(10 * Nanos::SECOND.0);
/// The longest that anyone waits for a server.
const WITHIN_MAX: Nanos = Nanos(600 * Nanos::SECOND.0);

/// The key that makes a contender one of these, and where it stands.
pub(super) fn is_named(raw: &RawContender) -> Option<(&'static str, &Range<usize>)> {
    let command = raw.command.as_ref().map(|at| ("command", &at.span));
    command.or(raw.url.as_ref().map(|at| ("url", &at.span)))
}

/// The contender of a `command` or a `url`, one of which is there.
pub(super) fn kind(raw: &RawContender, around: Around<'_>) -> Result<Kind, Diagnostic> {
    let of_models = [
        ("threads", raw.threads.as_ref().map(|at| &at.span)),
        ("cpu", raw.cpu.as_ref().map(|at| &at.span)),
        ("request_cpu", raw.request_cpu.as_ref().map(|at| &at.span)),
        ("pool", raw.pool.as_ref().map(|at| &at.span)),
        ("fan_out", raw.fan_out.as_ref().map(|at| &at.span)),
        ("client", raw.client.as_ref().map(|at| &at.span)),
        ("pitfalls", raw.pitfalls.first().map(|at| &at.span)),
    ];
    if let Some((key, span)) = of_models.into_iter().find_map(|(key, span)| Some((key, span?))) {
        let title = format!("`{key}` is a setting of the built-in models");
        return Err(Diagnostic::new(span, title, "not of a command or a url")
            .help("a command takes its settings as arguments or in `env`"));
    }
    let mut setup = setup(raw, around)?;
    match (&raw.command, &raw.url) {
        (Some(command), None) => Ok(Kind::Command { argv: argv(command, around)?, setup }),
        (None, Some(at)) => {
            if let Some(at) = &raw.stop_within {
                let title = "bakeoff does not stop a server that it did not start";
                return Err(Diagnostic::new(&at.span, title, "not for a url"));
            }
            let url = url(at)?;
            if url.https && setup.tls.is_none() {
                let host = around.host.unwrap_or(&url.host);
                let made = Tls::new(TlsOptions::default(), host);
                setup.tls = Some(made.map_err(|error| of_error(&at.span, error, "its TLS"))?);
            }
            match &raw.tls {
                Some(tls) if !url.https => {
                    let title = "`tls` is of https";
                    Err(Diagnostic::new(&tls.span, title, "and the `url` is not"))
                }
                _ => Ok(Kind::Url { address: url.target, setup }),
            }
        }
        (_, Some(url)) => Err(Diagnostic::new(
            &url.span,
            "a contender has a command or a url, not both",
            "and a `command` above or below",
        )),
        (None, None) => unreachable!("it was named by one of the two"),
    }
}

/// A built-in model needs nothing around it.
pub(super) fn refuse_setup(raw: &RawContender) -> Result<(), Diagnostic> {
    let given = [
        ("system", raw.system.as_ref().map(|at| &at.span)),
        ("payload", raw.payload.first().map(|at| &at.span)),
        ("env", raw.env.first().map(|(key, _)| &key.span)),
        ("ready", raw.ready.as_ref().map(|at| &at.span)),
        ("ready_within", raw.ready_within.as_ref().map(|at| &at.span)),
        ("stop_within", raw.stop_within.as_ref().map(|at| &at.span)),
        ("before", raw.before.as_ref().map(|at| &at.span)),
        ("tls", raw.tls.as_ref().map(|at| &at.span)),
    ];
    match given.into_iter().find_map(|(key, span)| Some((key, span?))) {
        None => Ok(()),
        Some((key, span)) => {
            let title = format!("`{key}` is only for contenders by `command` or `url`");
            Err(Diagnostic::new(span, title, "not for a built-in model"))
        }
    }
}

fn setup(raw: &RawContender, around: Around<'_>) -> Result<Setup, Diagnostic> {
    let (mut env, mut filled) = (Vec::new(), Vec::new());
    for (key, value) in &raw.env {
        let (name, value, is_filled) = variable(key, value)?;
        filled.extend(is_filled.then(|| name.clone()));
        env.push((name, value));
    }
    Ok(Setup {
        env,
        filled,
        ready: match &raw.ready {
            Some(at) => ready(at)?,
            None if around.workload == Workload::Http => Ready::Tcp,
            None => Ready::Path("/healthz".into()),
        },
        ready_within: within(raw.ready_within.as_ref(), "ready_within", READY_WITHIN)?,
        stop_within: within(raw.stop_within.as_ref(), "stop_within", STOP_WITHIN)?,
        before: raw.before.as_ref().map(|at| argv(at, around)).transpose()?,
        payload: payload(raw)?,
        folder: around.folder.into(),
        tls: raw.tls.as_ref().map(|at| tls(at, raw, around)).transpose()?,
    })
}

/// How TLS is spoken to it. The name in its certificate is that of the routes' `host` header, else that of its address.
fn tls(at: &At<RawTls>, raw: &RawContender, around: Around<'_>) -> Result<Tls, Diagnostic> {
    let RawTls { cacert, insecure, cert, key, resumption } = &at.value;
    let file = |at: &At<String>| around.folder.join(&at.value);
    let client = match (cert, key) {
        (Some(cert), Some(key)) => Some((file(cert), file(key))),
        (None, None) => None,
        (Some(at), None) | (None, Some(at)) => {
            return Err(Diagnostic::new(
                &at.span,
                "`cert` and `key` belong together",
                "and the other?",
            ));
        }
    };
    if let (Some(cacert), Some(true)) = (cacert, insecure) {
        let title = "`insecure` accepts any certificate: remove `cacert`";
        return Err(Diagnostic::new(&cacert.span, title, "trusted by whom?"));
    }
    let options = TlsOptions {
        cacert: cacert.as_ref().map(file),
        insecure: insecure.unwrap_or(false),
        client,
        no_resumption: resumption.is_some_and(|resumes| !resumes),
    };
    let own = raw.url.as_ref().map(url).transpose()?.map(|url| url.host);
    let host = around.host.map(str::to_owned).or(own).unwrap_or_else(|| "127.0.0.1".into());
    Tls::new(options, &host).map_err(|error| of_error(&at.span, error, "its TLS"))
}

fn within(at: Option<&At<Quantity<Nanos>>>, key: &str, usual: Nanos) -> Result<Nanos, Diagnostic> {
    match at {
        None => Ok(usual),
        Some(at) if (Nanos::MILLI..=WITHIN_MAX).contains(&at.value.0) => Ok(at.value.0),
        Some(at) => {
            let title = format!("`{key}` must be 1 ms to {WITHIN_MAX}");
            Err(Diagnostic::new(&at.span, title, "out of range"))
        }
    }
}

/// What is deployed of a command. Whether it is there is found out when it is to be looked at.
fn payload(raw: &RawContender) -> Result<Vec<String>, Diagnostic> {
    match raw.payload.iter().find(|path| path.value.is_empty() || path.value.contains('\0')) {
        Some(bad) => {
            Err(Diagnostic::new(&bad.span, "this cannot be a file of the payload", "no path"))
        }
        None => Ok(raw.payload.iter().map(|path| path.value.clone()).collect()),
    }
}

/// A program that is there, and its arguments.
fn argv(at: &At<Vec<At<String>>>, around: Around<'_>) -> Result<Vec<String>, Diagnostic> {
    let [program, arguments @ ..] = at.value.as_slice() else {
        return Err(Diagnostic::new(&at.span, "a command needs a program", "nothing to run")
            .help("write for example [\"./server\", \"--port\", \"{port}\"]"));
    };
    if arguments.len() > ARGUMENTS_MAX {
        let title = format!("a command has at most {ARGUMENTS_MAX} arguments");
        return Err(Diagnostic::new(&at.span, title, "too many"));
    }
    if let Some(bad) = at.value.iter().find(|argument| argument.value.contains('\0')) {
        return Err(Diagnostic::new(&bad.span, "an argument cannot hold a NUL", "here"));
    }
    if around.programs == Programs::Now && !is_there(&program.value, around.folder) {
        let title = format!("there is no program `{}`", program.value.escape_debug());
        let help = if is_ours(&program.value) {
            BUILD
        } else if program.value.contains('/') {
            "a relative path is taken from the scenario's folder"
        } else {
            "it is looked for on PATH; write ./ before one of the scenario's folder"
        };
        return Err(Diagnostic::new(&program.span, title, "not found").help(help));
    }
    let shell = Path::new(&program.value)
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().ends_with(b"sh"));
    if let Some(bad) = arguments.iter().find(|it| !shell && it.value.contains("${")) {
        return Err(Diagnostic::new(
            &bad.span,
            "`${..}` needs a shell, and none starts this",
            "passed as it is",
        )
        .help(
            "{port} is where the server must listen; give it a variable as env = { NAME = \"{env:NAME}\" }, or start \
             it by [\"sh\", \"-c\", ..]",
        ));
    }
    Ok(at.value.iter().map(|argument| argument.value.clone()).collect())
}

/// The first part of a command that is not there, as far as that can be told: its program, or a file of the folder
/// `contenders`.
pub(super) fn missing(argv: &[String], folder: &Path) -> Option<String> {
    let [program, arguments @ ..] = argv else { return None };
    if !is_there(program, folder) {
        return Some(match program.contains('/') {
            true => shown(folder, program),
            false => format!("`{program}` on PATH"),
        });
    }
    let absent = |argument: &&String| is_ours(argument) && !folder.join(argument).exists();
    arguments.iter().find(absent).map(|argument| shown(folder, argument))
}

/// What builds the servers of the folder `contenders`.
pub(super) const BUILD: &str =
    "`contenders/build --install` builds the servers of contenders/, and says what it lacks";

/// Whether an argument is a file of the folder `contenders`.
fn is_ours(argument: &str) -> bool {
    Path::new(argument).components().any(|part| part.as_os_str() == "contenders")
}

/// A path of the scenario's folder, without its `..`.
fn shown(folder: &Path, path: &str) -> String {
    let mut whole = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::ParentDir => _ = whole.pop(),
            part => whole.push(part),
        }
    }
    whole.display().to_string()
}

/// Whether there is such a program: at a path of the scenario's folder, or by its bare name on PATH.
fn is_there(program: &str, folder: &Path) -> bool {
    if program.contains('/') {
        return folder.join(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    !program.is_empty() && std::env::split_paths(&path).any(|at| at.join(program).is_file())
}

/// A variable with its value, and whether a part of that comes from bakeoff's own environment.
fn variable(key: &At<String>, value: &At<String>) -> Result<(String, String, bool), Diagnostic> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if key.value.is_empty() || !key.value.chars().all(allowed) {
        return Err(Diagnostic::new(&key.span, "this cannot be a variable's name", "not a name")
            .help("letters, digits and `_`"));
    }
    let filled = with_environment(&value.value)
        .map_err(|wrong| diagnostic(value, wrong, "not filled in by a shell"))?;
    if filled.contains('\0') {
        return Err(Diagnostic::new(&value.span, "a variable cannot hold a NUL", "here"));
    }
    let is_filled = filled != value.value;
    Ok((key.value.clone(), filled, is_filled))
}

fn ready(at: &At<String>) -> Result<Ready, Diagnostic> {
    if at.value == "tcp" {
        return Ok(Ready::Tcp);
    }
    match check_path(&Template::of_bytes(at.value.as_bytes()), &at.value) {
        Ok(()) => Ok(Ready::Path(at.value.clone())),
        Err(wrong) => Err(Diagnostic::new(&at.span, wrong.what, "not a path, and not \"tcp\"")
            .help(
                "write a path that answers 200 once it is ready, such as \"/healthz\", or \"tcp\"",
            )),
    }
}

fn of_error(span: &Range<usize>, error: Error, label: &str) -> Diagnostic {
    let (message, help) = error.parts();
    let diagnostic = Diagnostic::new(span, message, label);
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

fn url(at: &At<String>) -> Result<Url, Diagnostic> {
    let url = Url::parse(&at.value)
        .map_err(|error| of_error(&at.span, error, "not a URL of this machine"))?;
    if url.path == "/" {
        return Ok(url);
    }
    Err(Diagnostic::new(
        &at.span,
        "a contender's URL has no path",
        format!("`{}` is too much", url.path),
    )
    .help("paths are those of the [[route]]s"))
}
