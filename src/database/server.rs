//! What a run has of PostgreSQL, and what a trial gets of it.

use std::path::Path;

use crate::database::auto::Auto;
use crate::database::given::Given;
use crate::database::setup;
use crate::database::setup::{Facts, Setup};
use crate::database::url::Url;
use crate::error::{Error, Result};

/// A loaded database. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Database(Origin);

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each run")]
enum Origin {
    Auto(Auto),
    Given(Given),
}

impl Database {
    /// A throw-away cluster on 127.0.0.1, kept by a process of `program`, which is bakeoff itself.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start, and when it cannot wait as asked.
    pub fn auto(program: &Path, setup: &Setup) -> Result<Self> {
        let latency = setup::dial(&setup.lookup, &setup.write)?;
        Ok(Self(Origin::Auto(Auto::start(program, setup, &latency)?)))
    }

    /// A fresh schema in the server at `url`, after saying what will be loaded there. Asks at a terminal unless `yes`.
    ///
    /// # Errors
    /// When the user does not agree, the server refuses, or it cannot wait as asked.
    pub fn given(url: &Url, setup: &Setup, yes: bool) -> Result<Self> {
        let latency = setup::dial(&setup.lookup, &setup.write)?;
        Ok(Self(Origin::Given(Given::start(url, setup.seed, latency, yes)?)))
    }

    /// What the trial `n` works on: no payment, no points, whatever the trial before it did. A cluster of our own copies
    /// its template (about 0.2 s) and allows several at once; a schema that is given is loaded again (some seconds), and
    /// has one trial at a time.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn fresh(&self, n: u32) -> Result<Trial<'_>> {
        match &self.0 {
            Origin::Auto(auto) => {
                let (name, url) = auto.fresh(n)?;
                Ok(Trial { url, copy: Some((auto, name)) })
            }
            Origin::Given(given) => Ok(Trial { url: given.fresh()?, copy: None }),
        }
    }

    /// As the server gives it: `15.14 (Debian 15.14-0+deb12u1)`.
    pub fn version(&self) -> &str {
        &self.facts().version
    }

    /// The settings that a figure depends on, with their units: durability first.
    pub fn settings(&self) -> &[(String, String)] {
        &self.facts().settings
    }

    /// The process that all others of our own cluster come from; those of a server that is given are its own.
    pub fn pid(&self) -> Option<u32> {
        match &self.0 {
            Origin::Auto(auto) => Some(auto.pid()),
            Origin::Given(_) => None,
        }
    }

    /// Schemas that earlier runs have left in a server that is given, or that others have there now.
    pub fn stale(&self) -> &[String] {
        match &self.0 {
            Origin::Auto(_) => &[],
            Origin::Given(given) => given.stale(),
        }
    }

    /// Why our own cluster is no longer there, if it has ended by itself.
    pub fn crashed(&self) -> Option<Error> {
        match &self.0 {
            Origin::Auto(auto) => auto.crashed(),
            Origin::Given(_) => None,
        }
    }

    fn facts(&self) -> &Facts {
        match &self.0 {
            Origin::Auto(auto) => auto.facts(),
            Origin::Given(given) => given.facts(),
        }
    }
}

/// What one trial works on. Dropping it drops what the trial wrote.
#[derive(Debug)]
pub struct Trial<'a> {
    url: Url,
    copy: Option<(&'a Auto, String)>,
}

impl Trial<'_> {
    pub fn url(&self) -> &Url {
        &self.url
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if let Some((auto, name)) = &self.copy {
            auto.forget(name);
        }
    }
}
