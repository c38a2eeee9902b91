//! Whom PostgreSQL runs as: it refuses to be root.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::error::{Context, Error, Result};

/// A user of this system, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Tried in turn. initdb wants one that `/etc/passwd` knows.
const NAMES: [&str; 2] = ["postgres", "nobody"];

impl Account {
    /// Whom to become, if this process is root.
    ///
    /// # Errors
    /// When there is nobody to become.
    pub(crate) fn to_become() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let passwd =
            fs::read_to_string("/etc/passwd").context(|| "cannot read /etc/passwd".into())?;
        let account = NAMES.iter().find_map(|name| of(&passwd, name));
        account.map(Some).ok_or_else(|| {
            Error::usage("PostgreSQL does not run as root, and there is no user postgres or nobody")
                .help("run bakeoff as another user, or give the URL of a server on this machine")
        })
    }

    /// Has `command` run as this user, without root's groups.
    pub(crate) fn drop_to(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

/// The numbers of `name` in the text of an `/etc/passwd`: `name:x:uid:gid:..`.
fn of(passwd: &str, name: &str) -> Option<Account> {
    let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let fields = fields.into_iter().find(|fields| fields[0] == name)?;
    Some(Account { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgresx:x:1:1:::\n\npostgres:x:105:110:,,,:/:\n";
        assert_eq!(of(passwd, "postgres"), Some(Account { uid: 105, gid: 110 }));
        assert_eq!(of(passwd, "nobody"), None);
    }
}
