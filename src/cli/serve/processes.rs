//! `serve --processes N`: the same event loop in N processes on one port, as Node.js' cluster does it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::backend::model::Model;
use crate::backend::{Settings, StoreSettings};
use crate::error::{Context, Error, Result};
use crate::{interrupt, listen};

/// How often it is looked whether a process has ended, or all of them are to.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Serves until SIGTERM or SIGINT, then ends the processes.
///
/// # Errors
/// A model or a store that has only one process (2), a process that cannot be started or ends by itself (1).
pub(super) fn serve(settings: &Settings, processes: u32) -> Result<()> {
    if settings.model != Model::EventLoop {
        let model = settings.model;
        return Err(Error::usage(format!("--processes is for event-loop, and this is {model}"))
            .help("the other models have several threads: --threads"));
    }
    if settings.store == StoreSettings::Memory {
        return Err(Error::usage("several processes cannot keep one set of books in their memory")
            .help("give --database-url"));
    }
    let stop = interrupt::listen()?;
    let reserved = listen::reserve(settings.port)?;
    let port = reserved.local_addr().context(|| "cannot read the port".into())?.port();
    let pool = (settings.pool / processes as usize).max(1);
    let mut children = Children(Vec::new());
    for _ in 0..processes {
        children.0.push(start(port, pool)?);
    }
    children.0.iter_mut().try_for_each(listening)?;
    listen::announce(port);
    while !stop.load(Ordering::Relaxed) {
        for child in &mut children.0 {
            if let Some(status) = child.try_wait().context(|| "cannot watch a process".into())? {
                return Err(Error::internal(format!("one of the processes has ended: {status}")));
            }
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Processes that end when this is dropped.
struct Children(Vec<Child>);

impl Drop for Children {
    fn drop(&mut self) {
        for child in &self.0 {
            // One that has ended already is what is wanted.
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
        }
        for child in &mut self.0 {
            let _ = child.wait();
        }
    }
}

/// One process: this program with the flags that it was given, but for those that say where and how many.
fn start(port: u16, pool: usize) -> Result<Child> {
    let binary = std::env::current_exe().context(|| "cannot find this program's file".into())?;
    let given = without(std::env::args_os().skip(1), &["--processes", "--port", "--pool"]);
    let mut command = Command::new(binary);
    command
        .args(given)
        .args(["--reuse-port", "--port", &port.to_string(), "--pool", &pool.to_string()])
        .arg(format!("--die-with-parent={}", std::process::id()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command.spawn().context(|| "cannot start a process".into())
}

/// The arguments without some flags and their values, and without the parent's own parent.
fn without(given: impl Iterator<Item = OsString>, flags: &[&str]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut skips = false;
    for argument in given {
        let text = argument.to_string_lossy();
        let name = text.split('=').next().unwrap_or_default();
        if std::mem::take(&mut skips) || name == "--die-with-parent" {
            continue;
        }
        match flags.contains(&name) {
            true => skips = !text.contains('='),
            false => kept.push(argument),
        }
    }
    kept
}

/// Waits until a process has said that it listens.
fn listening(child: &mut Child) -> Result<()> {
    let stdout = child.stdout.take().expect("stdout is piped");
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .context(|| "cannot read the output of a process".into())?;
    match line.starts_with("listening ") {
        true => Ok(()),
        false => Err(Error::internal("one of the processes did not start to listen")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_the_whole_are_not_handed_on() {
        let given =
            ["serve", "--port", "0", "--model=event-loop", "--processes=2", "--die-with-parent=7"];
        let kept = without(given.iter().map(OsString::from), &["--processes", "--port", "--pool"]);
        assert_eq!(kept, ["serve", "--model=event-loop"]);
    }
}
