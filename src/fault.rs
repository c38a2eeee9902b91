//! What may go wrong with a dependency, when, and for how long.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::units::{Nanos, Share};

/// A fault that is configured for a stretch of a trial.
///
/// On the command line: `stall=1s@3s`, `slow=x5@3s+2s`, `errors=10%@3s+2s`, `drop=20%@3s+2s`. After the `@` stands the
/// instant since the window's start, after the `+` how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    pub effect: Effect,
    /// When it begins, since the window's start.
    pub start: Nanos,
    pub lasting: Nanos,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// Nothing is answered until it is over.
    Stall,
    /// Whatever begins takes so many times as long.
    Slow(f64),
    /// So many of the statements that begin fail with an error, and do nothing.
    Errors(Share),
    /// So many of the statements that begin do their work, and then the connection is closed instead of an answer.
    Drop(Share),
}

/// Nothing is slowed down by more than this.
const FACTOR_MAX: f64 = 1_000.0;

impl Fault {
    /// When it begins and ends.
    pub fn range(&self) -> Range<Nanos> {
        self.start..self.start + self.lasting
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, lasting) = (self.start.spelled(), self.lasting.spelled());
        match self.effect {
            Effect::Stall => write!(f, "stall={lasting}@{start}"),
            Effect::Slow(factor) => write!(f, "slow=x{factor}@{start}+{lasting}"),
            Effect::Errors(share) => write!(f, "errors={share}@{start}+{lasting}"),
            Effect::Drop(share) => write!(f, "drop={share}@{start}+{lasting}"),
        }
    }
}

impl FromStr for Fault {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let bad = || format!("`{text}` is not a fault; write {SPELLINGS}");
        let (kind, rest) = text.split_once('=').ok_or_else(bad)?;
        let (what, when) = rest.split_once('@').ok_or_else(bad)?;
        if kind == "stall" {
            return Self::new(Effect::Stall, when.parse()?, what.parse()?);
        }
        let effect = match kind {
            "slow" => Effect::Slow(factor(what)?),
            "errors" => Effect::Errors(share(what)?),
            "drop" => Effect::Drop(share(what)?),
            _ => return Err(bad()),
        };
        let (start, lasting) = when.split_once('+').ok_or_else(bad)?;
        Self::new(effect, start.parse()?, lasting.parse()?)
    }
}

const SPELLINGS: &str =
    "stall=1s@3s, slow=x5@3s+2s, errors=10%@3s+2s or drop=20%@3s+2s (what @ from when + how long)";

impl Fault {
    fn new(effect: Effect, start: Nanos, lasting: Nanos) -> Result<Self, String> {
        match lasting.0 {
            0 => Err("a fault that lasts 0s does nothing; leave it out".into()),
            _ => Ok(Self { effect, start, lasting }),
        }
    }
}

fn factor(text: &str) -> Result<f64, String> {
    let factor = text.trim().strip_prefix('x').and_then(|factor| factor.parse::<f64>().ok());
    let bad = || format!("`{text}` is not a factor from x1 to x{FACTOR_MAX}; write it as x5");
    factor.filter(|factor| (1.0..=FACTOR_MAX).contains(factor)).ok_or_else(bad)
}

fn share(text: &str) -> Result<Share, String> {
    let share: Share = text.parse()?;
    match share.0 > 0.0 && share.0 <= 1.0 {
        true => Ok(share),
        false => Err(format!("`{text}` must be above 0% and at most 100%")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_read() {
        for text in [
            "stall=1s@3s",
            "slow=x5@3s+2s",
            "slow=x1.5@0s+1500ms",
            "errors=10%@3s+2s",
            "drop=0.5%@3s+2s",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        let fault: Fault = "stall=1s@3s".parse().unwrap();
        assert_eq!(fault.range(), Nanos(3_000_000_000)..Nanos(4_000_000_000));
    }

    #[test]
    fn what_is_no_fault_is_refused_with_the_spelling() {
        for (text, says) in [
            ("stall", "stall=1s@3s"),
            ("stall=1s", "stall=1s@3s"),
            ("stall=1@3s", "no unit"),
            ("slow=5@3s+2s", "write it as x5"),
            ("slow=x0.5@3s+2s", "from x1 to x1000"),
            ("slow=xNaN@3s+2s", "from x1"),
            ("slow=x5@3s", "slow=x5@3s+2s"),
            ("errors=10@3s+2s", "not a share"),
            ("errors=101%@3s+2s", "at most 100%"),
            ("drop=0%@3s+2s", "above 0%"),
            ("drop=5%@3s+0s", "lasts 0s"),
            ("explode=5%@3s+2s", "not a fault"),
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
