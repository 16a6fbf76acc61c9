//! What the command line may say. Terraform says nothing there.

/// How to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// As a plugin, started and ended by Terraform.
    Plugin,
    /// Under a debugger, started by hand; Terraform attaches to it.
    Debug,
}

/// The option for a debugger; the second is how providers in Go spell it.
pub const DEBUG: [&str; 2] = ["--debug", "-debug"];

/// An argument that is none of ours.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "Unknown argument {0}. A provider is started by Terraform, without arguments; --debug starts it for a debugger."
)]
pub(crate) struct UnknownArgument(String);

impl Run {
    /// Reads the arguments after the program's name.
    pub(crate) fn read(arguments: impl IntoIterator<Item = String>) -> Result<Run, UnknownArgument> {
        arguments.into_iter().try_fold(Run::Plugin, |_, argument| match argument.as_str() {
            option if DEBUG.contains(&option) => Ok(Run::Debug),
            _ => Err(UnknownArgument(argument)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_debug_and_nothing_else() {
        let read = |arguments: &[&str]| Run::read(arguments.iter().map(|argument| (*argument).to_owned()));
        assert_eq!(read(&[]), Ok(Run::Plugin));
        assert_eq!(read(&["--debug"]), Ok(Run::Debug));
        assert_eq!(read(&["-debug"]), Ok(Run::Debug));
        assert!(read(&["--serve"]).is_err_and(|error| error.to_string().contains("--serve")));
    }
}
