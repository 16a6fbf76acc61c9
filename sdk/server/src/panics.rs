//! A panic in one call is told to the user and the log; the other calls go on.

use std::any::Any;
use std::cell::RefCell;
use std::panic::PanicHookInfo;

use tfplugin_core::{Diagnostic, Diagnostics};

thread_local! {
    /// Where this thread panicked last: the hook knows, whoever catches the panic does not.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic that was caught.
#[derive(Debug)]
pub(crate) struct Panicked {
    message: String,
    place: Option<String>,
}

/// Sends panics to the log instead of printing them. For the whole process.
pub(crate) fn install_hook() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let place = info.location().map(ToString::to_string);
        let thread = std::thread::current();
        tracing::error!(
            place,
            thread = thread.name().unwrap_or("unnamed"),
            "the provider panicked: {}",
            text(info.payload())
        );
        PLACE.set(place);
    }));
}

impl Panicked {
    /// From what `catch_unwind` caught, on the thread that panicked.
    pub(crate) fn caught(payload: &(dyn Any + Send)) -> Panicked {
        Panicked { message: text(payload).to_owned(), place: PLACE.take() }
    }

    /// What to say when a call was ended from outside, as happens to stragglers when the process ends.
    pub(crate) fn aborted() -> Panicked {
        Panicked { message: "the call was ended before it was done".to_owned(), place: None }
    }

    /// For the user: `rpc` is the call's name, `subject` what it was about (may be empty).
    pub(crate) fn diagnostics(&self, rpc: &str, subject: &str) -> Diagnostics {
        let about = if subject.is_empty() { String::new() } else { format!(" of {subject}") };
        let place = self.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        Diagnostic::error(
            format!("The provider crashed in {rpc}{about}"),
            format!(
                "{}{place}\n\nThis is a bug in the provider; please report it with the log of this run \
                 (TF_LOG_PROVIDER=debug). What else was under way goes on.",
                self.message
            ),
        )
        .into()
    }
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
