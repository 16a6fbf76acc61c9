//! A child that dies with us.
//!
//! Linux can kill a child when its parent dies, but only the child itself can ask for it, between `fork` and `exec`; and
//! unsafe code has no place here. So the provider starts *itself* with one word, and that process asks for the signal,
//! makes sure that nobody died meanwhile, and becomes Helm.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The first argument by which the provider's binary is asked to be a launcher.
pub const ARGUMENT: &str = "__exec";
/// What the shell says for "found but not executable".
const CANNOT_EXECUTE: u8 = 126;

/// How children are started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Launcher {
    /// Through `exe`, which calls [`run_launcher`] when its first argument is `arg`.
    SelfExec {
        /// The binary that plays the launcher.
        exe: PathBuf,
        /// The argument that tells it to.
        arg: OsString,
    },
    /// Directly: the child may outlive a parent that is killed. For tests and for programs that are not the provider.
    Direct,
}

impl Launcher {
    /// This very binary as the launcher.
    ///
    /// # Errors
    /// The path of the running binary cannot be found out.
    pub fn self_exec() -> io::Result<Self> {
        Ok(Self::SelfExec { exe: std::env::current_exe()?, arg: ARGUMENT.into() })
    }

    /// The command that runs `program`; arguments may be added to it.
    pub(crate) fn command(&self, program: &Path) -> Command {
        match self {
            Self::Direct => Command::new(program),
            Self::SelfExec { exe, arg } => {
                let mut command = Command::new(exe);
                command.arg(arg).arg(std::process::id().to_string()).arg("--").arg(program);
                command
            }
        }
    }
}

/// Plays the launcher: `args` is everything after [`ARGUMENT`]: our parent's process id, `--`, the program, its
/// arguments. Returns only when the program could not be started.
///
/// Call it first thing in `main`, before there is a runtime or a thread.
pub fn run_launcher(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let Err(problem) = become_program(args.into_iter());
    eprintln!("Error: {problem}");
    ExitCode::from(CANNOT_EXECUTE)
}

fn become_program(mut args: impl Iterator<Item = OsString>) -> Result<Infallible, String> {
    let parent = args
        .next()
        .and_then(|id| id.to_str().and_then(|id| id.parse::<i32>().ok()))
        .ok_or("this word is for the provider's own use")?;
    if args.next().as_deref() != Some(OsStr::new("--")) {
        return Err("this word is for the provider's own use".into());
    }
    let program = args.next().ok_or("no program was named")?;
    tie_to(parent)?;
    let failure = Command::new(&program).args(args).exec();
    Err(format!("cannot start {}: {failure}", Path::new(&program).display()))
}

#[cfg(target_os = "linux")]
fn tie_to(parent: i32) -> Result<(), String> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| format!("cannot tie the child to its parent: {e}"))?;
    // The parent may have died before the signal was asked for.
    if getppid().map(|pid| pid.as_raw_nonzero().get()) == Some(parent) {
        Ok(())
    } else {
        Err("the parent is gone".into())
    }
}

#[cfg(not(target_os = "linux"))]
fn tie_to(_parent: i32) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(args: &[&str]) -> String {
        become_program(args.iter().map(OsString::from)).unwrap_err()
    }

    #[test]
    fn only_the_provider_itself_uses_the_word() {
        assert!(refused(&[]).contains("own use"));
        assert!(refused(&["x", "--", "true"]).contains("own use"));
        assert!(refused(&["1", "true"]).contains("own use"));
        assert!(refused(&["1", "--"]).contains("no program"));
    }

    #[test]
    fn the_command_carries_the_parent() {
        let launcher = Launcher::SelfExec { exe: "/p".into(), arg: ARGUMENT.into() };
        let command = launcher.command(Path::new("/usr/bin/helm"));
        let args: Vec<_> = command.get_args().map(|a| a.to_str().unwrap().to_owned()).collect();
        assert_eq!(command.get_program(), "/p");
        assert_eq!(args, [ARGUMENT, &std::process::id().to_string(), "--", "/usr/bin/helm"]);
    }
}
