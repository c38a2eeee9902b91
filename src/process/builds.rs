//! Builds of commits, each made once: in a git worktree of their own, which is gone at the end; the binaries stay.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::{Context, Error, Result};
use crate::machine;
use crate::process::supervise::{Program, SupervisedProcess};
use crate::record::bisect::Build;

/// A build that takes longer hangs.
const BUILD_WITHIN: Duration = Duration::from_secs(2 * 3_600);
const PATIENCE: Duration = Duration::from_secs(5);

/// Commits of a repository as binaries.
#[derive(Debug)]
pub(crate) struct Builds {
    repository: PathBuf,
    /// Has a folder for each commit with its binary, and the worktree while commits are built.
    folder: PathBuf,
    build: Build,
}

impl Builds {
    /// `folder` is made when it is needed.
    pub(crate) fn new(repository: &Path, folder: &Path, build: Build) -> Result<Self> {
        let absolute = |path: &Path| {
            std::path::absolute(path).usage(|| format!("cannot find {}", path.display()))
        };
        Ok(Self { repository: absolute(repository)?, folder: absolute(folder)?, build })
    }

    /// The binary of a commit, built now unless it was before.
    ///
    /// # Errors
    /// When git fails or the user interrupts. The inner error is that of a commit that cannot be built.
    pub(crate) fn binary(&self, commit: &str) -> Result<Result<PathBuf, String>> {
        let name = Path::new(&self.build.binary).file_name();
        let no_file = || Error::usage(format!("`{}` is not a file", self.build.binary));
        let name = name.ok_or_else(no_file)?;
        let kept = self.folder.join(commit).join(name);
        if kept.exists() {
            return Ok(Ok(kept));
        }
        let worktree = self.worktree();
        let made = worktree.join(&self.build.binary);
        if worktree.join(".git").exists() {
            // A build that makes nothing would leave that of another commit. One that is tracked comes back.
            if made.exists() {
                fs::remove_file(&made).usage(|| format!("cannot remove {}", made.display()))?;
            }
            git(&worktree, &["checkout", "--quiet", "--force", "--detach", commit])?;
        } else {
            let failed = || format!("cannot make {}", self.folder.display());
            fs::create_dir_all(&self.folder).usage(failed)?;
            let at = worktree.display().to_string();
            // Twice: one that a killed search has left is registered still.
            let add = ["worktree", "add", "--quiet", "--force", "--force", "--detach", &at, commit];
            git(&self.repository, &add)?;
        }
        if let Err(error) = self.build(commit) {
            return if error.is_interrupt() { Err(error) } else { Ok(Err(error.to_string())) };
        }
        if !made.is_file() {
            return Ok(Err(format!("the build made no {}", self.build.binary)));
        }
        let failed = || format!("cannot keep {}", kept.display());
        // Whole or not at all: what is there is taken for built.
        let half = self.folder.join("half-copied");
        fs::create_dir_all(kept.parent().expect("it is in a folder")).usage(failed)?;
        fs::copy(&made, &half).and_then(|_| fs::rename(&half, &kept)).usage(failed)?;
        Ok(Ok(kept))
    }

    fn build(&self, commit: &str) -> Result<()> {
        let program = Program {
            what: format!("the build of {commit}"),
            argv: &["sh".into(), "-c".into(), self.build.command.clone()],
            env: &[],
            folder: &self.worktree(),
            patience: PATIENCE,
            group: None,
        };
        SupervisedProcess::start(&program, &machine::allowed_cores()?)?.finish(BUILD_WITHIN)
    }

    fn worktree(&self) -> PathBuf {
        self.folder.join("worktree")
    }
}

impl Drop for Builds {
    fn drop(&mut self) {
        let worktree = self.worktree();
        if worktree.exists() {
            let at = worktree.display().to_string();
            let _ = git(&self.repository, &["worktree", "remove", "--force", &at]);
        }
    }
}

/// The commit `good`, and those after it up to `bad` by first parents, oldest first.
///
/// # Errors
/// Usage: no such commit, or `good` is no ancestor of `bad` by first parents.
pub(crate) fn commits(repository: &Path, good: &str, bad: &str) -> Result<Vec<String>> {
    let named = |name: &str| {
        let commit = format!("{name}^{{commit}}");
        Ok(git(repository, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])
            .map_err(|_| Error::usage(format!("there is no commit `{}`", name.escape_debug())))?
            .trim()
            .to_owned())
    };
    let (good, bad): (String, String) = (named(good)?, named(bad)?);
    git(repository, &["merge-base", "--is-ancestor", &good, &bad]).map_err(|_| {
        Error::usage(format!("{good} is not an ancestor of {bad}"))
            .help("give the older one as --good")
    })?;
    let range = format!("{good}..{bad}");
    let after = git(repository, &["rev-list", "--first-parent", "--reverse", &range])?;
    if let Some(oldest) = after.lines().next() {
        let parent = git(repository, &["rev-parse", "--verify", "--quiet", &format!("{oldest}^1")]);
        if parent.ok().is_none_or(|parent| parent.trim() != good) {
            let message = format!("{good} is on a side branch that was merged into {bad}");
            return Err(Error::usage(message).help("give a commit of its first parents as --good"));
        }
    }
    Ok(std::iter::once(good).chain(after.lines().map(str::to_owned)).collect())
}

/// What a command of git writes.
fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null());
    // Those of a hook that starts this would name another repository.
    command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
    let output = command.output().usage(|| "cannot start git".into())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let what = format!("git {}: {}", arguments[0], said.trim());
        return Err(Error::usage(what));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
